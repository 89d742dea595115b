import { useEffect, useState } from "preact/hooks";
import { downloads, type StorageEstimate, type StoredModel } from "qwill";
import { bytes } from "../format.ts";
import { labelOfAddress, type ModelChoice } from "../model.ts";

interface Props {
  /** Looks anew whenever this becomes true. */
  isShown: boolean;
  /** Loads what is stored whole. */
  onOpen: (choice: ModelChoice) => void;
  /** Shows what it takes to go on with the rest. */
  onConsider: (choice: ModelChoice) => void;
}

/** The models that this browser keeps, with their sizes: to load without network, or to delete. */
export function StoredModels({ isShown, onOpen, onConsider }: Props) {
  const [models, setModels] = useState<StoredModel[]>([]);
  const [room, setRoom] = useState<StorageEstimate>();
  const [news, setNews] = useState("");

  const look = async () => {
    setModels(await downloads.list());
    setRoom(await downloads.storage());
  };
  useEffect(() => {
    if (!isShown) return;
    setNews("");
    look().catch(() => setNews("This browser does not say what it stores."));
  }, [isShown]);

  const remove = async (model: StoredModel) => {
    try {
      await downloads.delete(model.id);
      await look();
      setNews(`${labelOf(model)} was deleted.`);
    } catch (error) {
      setNews((error as Error).message);
    }
  };

  return (
    <section class="stored" aria-label="Stored models">
      {models.length > 0 && (
        <>
          <h3>Stored in this browser</h3>
          <ul>
            {models.map((model) => (
              <li key={model.id}>
                <span class="stored-name">
                  <strong>{labelOf(model)}</strong>
                  <span class="muted">
                    {model.complete
                      ? bytes(model.size)
                      : `${bytes(model.bytes)} of ${bytes(model.size)} downloaded`}
                  </span>
                </span>
                <button
                  type="button"
                  class="button"
                  onClick={() => (model.complete ? onOpen : onConsider)(choiceOf(model))}
                >
                  {model.complete ? "Load" : "Go on"}
                  <span class="visually-hidden"> {labelOf(model)}</span>
                </button>
                <button type="button" class="text-button" onClick={() => remove(model)}>
                  Delete<span class="visually-hidden"> {labelOf(model)}</span>
                </button>
              </li>
            ))}
          </ul>
          {room?.usage !== undefined && room.quota !== undefined && (
            <p class="muted">
              {bytes(room.usage)} of {bytes(room.quota)} used
            </p>
          )}
        </>
      )}
      <p class="muted" role="status">
        {news}
      </p>
    </section>
  );
}

const labelOf = (model: StoredModel) =>
  typeof model.source === "string" ? labelOfAddress(model.source) : labelOfAddress(model.id);

const choiceOf = (model: StoredModel): ModelChoice => ({
  source: model.source,
  label: labelOf(model),
  ...(model.endpoint !== undefined && { options: { endpoint: model.endpoint } }),
});
