// Files out of a drop: single ones, several, or the ones at the top of a folder.

export async function dropped(data: DataTransfer): Promise<{ files: File[]; label: string }> {
  // Everything must be taken before the event handler returns, so before anything is awaited.
  const plain = [...data.files];
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files = entries.length > 0 ? (await Promise.all(entries.map(filesOf))).flat() : plain;
  return { files, label: labelOf(files, entries.find((entry) => entry.isDirectory)?.name) };
}

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) return [await toFile(entry as FileSystemFileEntry)];
  const children = await list(entry as FileSystemDirectoryEntry);
  return Promise.all(
    children.filter((child) => child.isFile).map((child) => toFile(child as FileSystemFileEntry)),
  );
}

function toFile(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function list(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    // A reader hands out its entries in portions, and an empty one at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}

/** What to call a set of files: the folder that they lie in, or the first one's name. */
export function labelOf(files: File[], folder = files[0]?.webkitRelativePath.split("/")[0]): string {
  return folder || files.find((file) => file.name.endsWith(".gguf"))?.name || files[0]?.name || "model";
}
