//! qwill's own routes: conversations that are kept.

mod common;

use common::{Served, demo};
use qwill_server::Options;
use serde_json::{Value, json};

#[tokio::test]
async fn conversations_are_kept_saved_and_restored() {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("sessions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let options = || Options { sessions_folder: Some(folder.clone()), ..Options::default() };
    let chat = json!({"messages": [{"role": "user", "content": "My name is Ada."}], "enable_thinking": false, "max_tokens": 30, "id_slot": 3});
    let first = Served::new(vec![demo()], options()).await;
    let reply = first.ask("/v1/chat/completions", chat.clone()).await;
    let mut streamed = chat;
    (streamed["id_slot"], streamed["stream"]) = (json!(5), json!(true));
    first.streamed("/v1/chat/completions", streamed.clone()).await;
    let get =
        async |served: &Served| -> Value { served.get("/slots").send().await.unwrap().json().await.unwrap() };
    let kept = |id: usize| json!({"id": id, "model": "demo", "n_messages": 2});
    assert_eq!(get(&first).await, json!([kept(3), kept(5)]));
    let saved = first.ask("/slots/3?action=save", json!({"filename": "ada.session"})).await;
    assert!(saved["n_written"].as_u64().unwrap() > 1000, "{saved}");
    assert_eq!(first.ask("/slots/5?action=erase", json!({})).await, json!({"id_slot": 5}));
    assert_eq!(get(&first).await, json!([kept(3)]));

    let second = Served::new(vec![demo()], options()).await;
    let restored =
        second.ask("/slots/0?action=restore", json!({"filename": "ada.session", "model": "demo"})).await;
    assert_eq!(restored["messages"][1]["content"], reply["choices"][0]["message"]["content"]);
    let mut messages = restored["messages"].as_array().unwrap().clone();
    messages.push(json!({"role": "user", "content": "What is my name?"}));
    let further = json!({"messages": messages, "enable_thinking": false, "max_tokens": 30, "temperature": 0});
    let further = second.ask("/v1/chat/completions", further).await;
    // It need not be read again.
    assert!(further["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap() > 10, "{further}");

    for (path, body, status, words) in [
        ("/slots/9?action=save", json!({"filename": "x"}), 400, "slot 9 holds no conversation"),
        ("/slots/0?action=save", json!({"filename": "../x"}), 400, "a name without folders"),
        ("/slots/0?action=save", json!({"filename": "/etc/x"}), 400, "a name without folders"),
        ("/slots/0?action=save", json!({}), 400, "filename is missing"),
        ("/slots/0?action=restore", json!({"filename": "none"}), 400, "no such file"),
        ("/slots/0?action=copy", json!({}), 400, "action must be"),
        ("/slots/0", json!({}), 400, "action must be"),
        ("/infill", json!({"input_prefix": "a"}), 400, "input_suffix is missing"),
        ("/infill", json!({"input_prefix": "a", "input_suffix": "b", "prompt": "c"}), 400, "prompt is \"c\""),
    ] {
        let (found, error) = second.refusal(path, body).await;
        let message = error["error"]["message"].as_str().unwrap();
        assert!(found == status && message.contains(words), "{path}: {found} {message}");
    }
    let filled =
        second.ask("/infill", json!({"input_prefix": "def f(", "input_suffix": ")", "n_predict": 4})).await;
    assert!(filled["content"].is_string() && filled["stop"] == true, "{filled}");
    std::fs::remove_dir_all(&folder).unwrap();
    let nowhere = Served::new(vec![demo()], Options::default()).await;
    assert_eq!(nowhere.refusal("/slots/0?action=save", json!({"filename": "x"})).await.0, 403);
}
