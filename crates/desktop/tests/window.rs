//! The real program in a window of a virtual screen: it opens, answers, changes its colours, survives the loss of its device,
//! and closes. `cargo xtask test desktop` runs it, where Xvfb can be had.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use qwill_desktop::conversation::{Author, Turn};
use qwill_desktop::shelf::Shelf;
use tempfile::TempDir;

/// Longer than the program takes for a script on two busy cores.
const PATIENCE: Duration = Duration::from_secs(120);

/// A frame while a reply is made takes less, in 95 of 100 cases, also on a machine that has much else to do: one that waited for
/// the reply would take seconds. How long it takes on a quiet machine is printed.
const FRAME_MS: f64 = 300.0;

/// A virtual screen, until it is dropped.
struct Screen {
    xvfb: Child,
    name: String,
}

impl Screen {
    fn open() -> Self {
        // Xvfb chooses a free number and writes it
        let mut xvfb = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Xvfb does not start ({error}); cargo xtask setup brings it"));
        let mut number = String::new();
        let out = xvfb.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut number).unwrap();
        Self { xvfb, name: format!(":{}", number.trim()) }
    }

    /// Runs the program with a script, to its end.
    fn run(&self, folder: &Path, script: &str) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_qwill-desktop"))
            .args(["--model", "demo", "--data"])
            .arg(folder)
            .args(["--script", script])
            .env("DISPLAY", &self.name)
            .env_remove("WAYLAND_DISPLAY")
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = program.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                program.kill().unwrap();
                panic!("the program did not end: {script}");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.xvfb.kill();
        let _ = self.xvfb.wait();
    }
}

fn replies(folder: &Path) -> Vec<Turn> {
    let kept = Shelf::new(&folder.join("conversations")).read();
    let turns = kept.conversations.into_iter().flat_map(|conversation| conversation.turns);
    turns.filter(|turn| turn.author == Author::Assistant).collect()
}

/// The share of a picture's pixels that are rather dark, and how many colours it has.
fn look(path: &Path) -> (f64, usize) {
    let picture = image::open(path).unwrap().to_rgb8();
    let pixels: Vec<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
    let dark =
        pixels.iter().filter(|pixel| pixel.iter().map(|&c| u32::from(c)).sum::<u32>() < 3 * 80).count();
    let colours: std::collections::HashSet<_> = pixels.iter().collect();
    (dark as f64 / pixels.len() as f64, colours.len())
}

#[test]
fn the_program_answers_in_a_window_and_survives_the_loss_of_its_device() {
    let (screen, folder) = (Screen::open(), TempDir::new().unwrap());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let script = format!(
        "theme=light;model;say=What is 17 + 25?;reply;shot={};theme=dark;wait=300;shot={};\
         say=What is 30 + 12?;letters=5;lose;reply;wait=300;shot={}",
        file("light.png"),
        file("dark.png"),
        file("lost.png"),
    );
    screen.run(folder.path(), &script);
    let replies = replies(folder.path());
    assert_eq!(replies.len(), 2, "{replies:?}");
    for reply in &replies {
        assert!(reply.text.contains("42") && !reply.reasoning.is_empty(), "{reply:?}");
    }
    let [light, dark, lost] =
        ["light.png", "dark.png", "lost.png"].map(|name| look(&folder.path().join(name)));
    assert!(light.0 < 0.2 && dark.0 > 0.6 && lost.0 > 0.6, "{light:?} {dark:?} {lost:?}");
    assert!([light, dark, lost].iter().all(|&(_, n_colours)| n_colours > 30), "{light:?} {dark:?} {lost:?}");
}

#[test]
fn frames_are_drawn_while_a_reply_is_made() {
    let (screen, folder) = (Screen::open(), TempDir::new().unwrap());
    let frames = folder.path().join("frames.json");
    let script = format!(
        "model;measure;say=Tell me a story about a fox.;reply;say=What is 17 + 25?;reply;frames={}",
        frames.display()
    );
    screen.run(folder.path(), &script);
    let told = std::fs::read_to_string(&frames).unwrap();
    println!("{told}");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told["frames"].as_u64().unwrap() >= 20, "{told}");
    assert!(told["p95_ms"].as_f64().unwrap() < FRAME_MS, "{told}");
}
