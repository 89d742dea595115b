import { useEffect, useState } from "preact/hooks";
import { dropped } from "../drop.ts";
import type { Loader } from "../model.ts";

/** Takes files and folders that are dropped anywhere on the page. */
export function DropZone({ onFiles }: { onFiles: Loader["open"] }) {
  const [over, setOver] = useState(false);

  useEffect(() => {
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const onDragOver = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onDragLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      if (!event.dataTransfer || !holdsFiles(event)) return;
      event.preventDefault();
      setOver(false);
      void dropped(event.dataTransfer).then(
        ({ files, label }) => files.length > 0 && onFiles({ source: files, label }),
      );
    };
    addEventListener("dragover", onDragOver);
    addEventListener("dragleave", onDragLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onDragOver);
      removeEventListener("dragleave", onDragLeave);
      removeEventListener("drop", onDrop);
    };
  }, [onFiles]);

  return over ? (
    <div class="drop-zone" aria-hidden="true">
      <p>Drop a GGUF file or a checkpoint folder</p>
    </div>
  ) : null;
}
