// The code in the READMEs, where it stands: what checks and tests it has no copies.

import { readFileSync } from "node:fs";

/**
 * The fenced blocks of a Markdown file in one language.
 * @param {string | URL} file
 * @param {string} language
 * @returns {{ line: number, code: string }[]} with the number of each block's first line
 */
export function blocksOf(file, language) {
  const blocks = [];
  let block;
  for (const [index, line] of readFileSync(file, "utf8").split("\n").entries()) {
    if (block && line === "```") {
      if (block.language === language) blocks.push({ line: block.line, code: block.lines.join("\n") });
      block = undefined;
    } else if (block) {
      block.lines.push(line);
    } else if (line.startsWith("```")) {
      block = { language: line.slice(3), line: index + 2, lines: [] };
    }
  }
  return blocks;
}
