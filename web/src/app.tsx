import { useEffect, useRef, useState } from "preact/hooks";
import { useChat } from "./chat.ts";
import { Composer } from "./components/composer.tsx";
import { DropZone } from "./components/drop-zone.tsx";
import { Header } from "./components/header.tsx";
import { LoadStatus } from "./components/load-status.tsx";
import { Messages } from "./components/messages.tsx";
import { ModelDialog } from "./components/model-dialog.tsx";
import { PlanDialog } from "./components/plan-dialog.tsx";
import { SettingsDialog } from "./components/settings-dialog.tsx";
import { Welcome } from "./components/welcome.tsx";
import { DEMO, type ModelChoice, useModel } from "./model.ts";
import { useSettings } from "./settings.ts";

export function App() {
  const loader = useModel(DEMO);
  const model = loader.state.kind === "ready" ? loader.state.model : undefined;
  const [settings, changeSettings] = useSettings();
  const chat = useChat(model, settings);
  const [dialog, setDialog] = useState<"model" | "settings">();
  /** The model whose plan is shown. */
  const [considered, setConsidered] = useState<ModelChoice>();
  const input = useRef<HTMLTextAreaElement>(null);

  const focusInput = () => {
    // On a touch screen this would bring up the keyboard unasked.
    if (!matchMedia("(pointer: coarse)").matches) input.current?.focus();
  };
  useEffect(focusInput, []);
  const newChat = () => {
    chat.clear();
    focusInput();
  };
  const ask = (prompt: string) => {
    chat.send(prompt);
    focusInput();
  };
  /** A dialog tells of its end when it has been closed for a while: another may be open by then. */
  const close = (closed: typeof dialog) => setDialog((open) => (open === closed ? undefined : open));
  const consider = (choice: ModelChoice) => {
    setDialog(undefined);
    setConsidered(choice);
  };
  const open = (choice: ModelChoice) => {
    setDialog(undefined);
    setConsidered(undefined);
    chat.clear();
    loader.open(choice);
  };

  const { busy, stop } = chat;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // An open dialog has Escape for itself.
      if (event.key === "Escape" && busy && !document.querySelector("dialog[open]")) {
        stop();
        input.current?.focus();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [busy, stop]);

  return (
    <>
      <Header
        state={loader.state}
        canClear={chat.turns.length > 0}
        onModel={() => setDialog("model")}
        onNewChat={newChat}
        onSettings={() => setDialog("settings")}
      />
      {chat.turns.length > 0 ? (
        <Messages turns={chat.turns} busy={chat.busy} />
      ) : (
        <Welcome state={loader.state} onAsk={ask} />
      )}
      <footer class="dock">
        <LoadStatus loader={loader} onChoose={() => setDialog("model")} onConsider={consider} />
        <Composer inputRef={input} ready={model !== undefined} busy={busy} onSend={chat.send} onStop={stop} />
        <p class="fine-print">Runs on your GPU. Nothing you type leaves this device.</p>
      </footer>
      <ModelDialog
        isOpen={dialog === "model"}
        state={loader.state}
        onClose={() => close("model")}
        onOpen={open}
        onConsider={consider}
      />
      <PlanDialog choice={considered} onClose={() => setConsidered(undefined)} onOpen={open} />
      <SettingsDialog
        isOpen={dialog === "settings"}
        settings={settings}
        onChange={changeSettings}
        onClose={() => close("settings")}
      />
      <DropZone onFiles={open} />
    </>
  );
}
