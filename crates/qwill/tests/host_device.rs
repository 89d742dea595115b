//! Models on a device that the program opened: the same numbers, and each one's errors are its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use pollster::block_on;
use qwill::gpu::{HostDevice, is_lost, wanted, wgpu};
use qwill::{Control, Error, EvalCase, KvType, LoadOptions, Model, ModelFiles, WantedLogits};
use qwill_testkit::golden::{Answer, CONTEXT, Expected, PREFILL_CHUNK, Question};

/// A program with a device, and handlers that count.
struct Program {
    adapter: wgpu::Adapter,
    device: wgpu::Device,
    queue: wgpu::Queue,
    n_errors: Arc<AtomicUsize>,
    losses: Arc<Mutex<Vec<String>>>,
}

impl Program {
    fn open() -> Self {
        let instance = wgpu::Instance::default();
        let adapter = block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).unwrap();
        let (device, queue) = block_on(adapter.request_device(&wanted(&adapter))).unwrap();
        let (n_errors, losses) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, told) = (n_errors.clone(), losses.clone());
        device.on_uncaptured_error(Arc::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        device.set_device_lost_callback(move |reason, message| {
            told.lock().unwrap().push(format!("{reason:?} {message}"));
        });
        Self { adapter, device, queue, n_errors, losses }
    }

    fn share(&self) -> HostDevice {
        HostDevice::new(&self.adapter, &self.device, &self.queue)
    }

    /// A buffer that no device has; returns how many errors there were in all.
    fn err(&self) -> usize {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE;
        let wrong = wgpu::BufferDescriptor { label: None, size: 4, usage, mapped_at_creation: false };
        drop(self.device.create_buffer(&wrong));
        self.n_errors.load(Ordering::Relaxed)
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn load(device: &HostDevice, name: &str) -> Model {
    let options = LoadOptions {
        kv_type: Some(KvType::F32),
        context_length: Some(CONTEXT),
        prefill_chunk: Some(PREFILL_CHUNK),
        ..LoadOptions::default()
    };
    let files = ModelFiles::from_path(golden().join(name)).unwrap();
    block_on(Model::load_on(device, files, &options, &mut |_| Control::Continue)).unwrap()
}

fn answer(model: &Model, question: &Question) -> Result<Answer, Error> {
    let case = EvalCase {
        ids: question.ids.clone(),
        greedy: question.n_greedy,
        logits: WantedLogits::All,
        ..EvalCase::default()
    };
    let reply = block_on(model.eval(&case))?;
    Ok(Answer { logits: reply.logits, perplexity: reply.perplexity, greedy: reply.greedy })
}

/// What differs from the reference.
fn wrong(model: &Model, name: &str) -> Vec<String> {
    let n_vocab = model.info().vocab_size;
    Expected::read(&golden(), name).compare(n_vocab, CONTEXT, |q| answer(model, q)).unwrap().wrong
}

#[test]
fn two_models_share_a_device_with_the_program_that_opened_it() {
    let program = Program::open();
    let host = program.share();
    let (dense, mixture) = (load(&host, "qwen3-tied"), load(&host, "qwen2moe-mix"));
    assert_eq!(program.err(), 1, "the program's handler is no longer called");
    thread::scope(|scope| {
        let found = scope.spawn(|| wrong(&mixture, "qwen2moe-mix"));
        assert_eq!(wrong(&dense, "qwen3-tied"), [""; 0]);
        // in the middle of the other's work
        assert_eq!(program.err(), 2);
        assert_eq!(found.join().unwrap(), [""; 0]);
    });
    // what a program does wrong is no fault of a model's
    assert_eq!(wrong(&dense, "qwen3-tied"), [""; 0]);
    assert_eq!(program.losses.lock().unwrap().len(), 0);
}

#[test]
fn replies_go_on_when_the_program_has_opened_another_device() {
    let program = Program::open();
    let host = program.share();
    let model = load(&host, "qwen3-tied");
    assert_eq!(wrong(&model, "qwen3-tied"), [""; 0]);
    assert!(!is_lost(&program.device));
    program.device.destroy();
    assert!(is_lost(&program.device));
    let waiting = thread::spawn({
        let model = model.clone();
        move || wrong(&model, "qwen3-tied")
    });
    thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished(), "it needs a device that nobody has opened");
    let next = Program::open();
    host.replace(&next.adapter, &next.device, &next.queue);
    assert_eq!(waiting.join().unwrap(), [""; 0]);
    assert_eq!((next.err(), program.n_errors.load(Ordering::Relaxed)), (1, 0));
    assert_eq!(program.losses.lock().unwrap().len(), 1, "the program's handler was not told of the loss");
}

#[test]
fn nobody_waits_for_a_device_that_does_not_come() {
    let program = Program::open();
    let host = program.share();
    let (left, dropped) = (load(&host, "qwen3-tied"), load(&host, "qwen3-tied"));
    program.device.destroy();
    let case = EvalCase { ids: vec![1, 2, 3], ..EvalCase::default() };
    let ask = |model: Model| {
        let case = case.clone();
        thread::spawn(move || block_on(model.eval(&case)).unwrap_err().code())
    };
    let waiting = [ask(left.clone()), ask(left.clone())];
    // its last handle goes while it waits, and must not wait for that
    assert!(dropped.eval(&case).now_or_never().is_none());
    thread::sleep(Duration::from_millis(200));
    drop(dropped);
    drop(host);
    for waiting in waiting {
        assert_eq!(waiting.join().unwrap(), "device-lost");
    }
}
