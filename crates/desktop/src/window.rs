//! The window, with the device that is drawn and computed on.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eframe::egui::{Ui, ViewportBuilder, ViewportCommand};
use eframe::egui_wgpu::{RenderState, WgpuError, WgpuSetup, WgpuSetupCreateNew};
use eframe::{CreationContext, Frame, NativeOptions};
use qwill::gpu::{HostDevice, is_lost, wanted, wgpu};

use crate::app::App;
use crate::args::Args;
use crate::folders;
use crate::script::Script;
use crate::settings::Settings;

/// Devices that may be lost one after the other before the program gives up.
const MOST_LOSSES: usize = 5;

/// What outlives a window whose device was lost.
#[derive(Default)]
struct Kept {
    app: Option<App>,
    script: Option<Script>,
}

/// Opens the window, and another one when the device of the first is lost, until a person closes it.
///
/// # Errors
/// What went wrong, and what helps, in words.
pub fn run(args: &Args) -> Result<(), String> {
    let folder = args.data.clone().or_else(folders::of_user).ok_or_else(|| {
        "There is no home folder to keep conversations in; name one with --data FOLDER.".to_owned()
    })?;
    let script = args.script.as_deref().map(Script::parse).transpose()?;
    let kept = Rc::new(RefCell::new(Kept { app: None, script }));
    // a broken file is told of in the window
    let chosen = Settings::read(&folder.join("settings.json")).unwrap_or_default().gpu;
    let gpu = args.gpu.clone().or(chosen);
    for _ in 0..=MOST_LOSSES {
        let is_lost = Arc::new(AtomicBool::new(false));
        let (kept_here, lost_here, folder, args) =
            (kept.clone(), is_lost.clone(), folder.clone(), args.clone());
        let creator = move |context: &CreationContext<'_>| {
            let drawing = context.wgpu_render_state.as_ref().ok_or("the window has no GPU")?;
            let device = watch(context, drawing, &lost_here);
            let mut kept = kept_here.borrow_mut();
            match &mut kept.app {
                Some(app) => {
                    app.device().replace(&drawing.adapter, &drawing.device, &drawing.queue);
                    app.forget_drawn();
                }
                None => {
                    let host = HostDevice::new(&drawing.adapter, &drawing.device, &drawing.queue);
                    kept.app = Some(App::new(&folder, host, &args));
                }
            }
            let drawn = context.egui_ctx.clone();
            if let Some(app) = &mut kept.app {
                app.state.gpus = drawing.available_adapters.iter().map(|gpu| gpu.get_info().name).collect();
                app.wake_by(move || drawn.request_repaint());
            }
            drop(kept);
            Ok(Box::new(Window { kept: kept_here, is_lost: lost_here, device }) as Box<dyn eframe::App>)
        };
        eframe::run_native("qwill", options(gpu.clone()), Box::new(creator)).map_err(|e| explain(&e))?;
        if !is_lost.load(Ordering::Relaxed) {
            return Ok(());
        }
        tracing::warn!("the GPU device was lost; the window is opened again");
    }
    Err("The GPU device was lost again and again. A newer graphics driver may help, or another GPU (--gpu NAME).".into())
}

fn options(gpu: Option<String>) -> NativeOptions {
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    setup.device_descriptor = Arc::new(wanted);
    setup.native_adapter_selector = gpu.map(|gpu| {
        let select = move |adapters: &[wgpu::Adapter], surface: Option<&wgpu::Surface<'_>>| {
            let is_it = |adapter: &&wgpu::Adapter| {
                adapter.get_info().name.to_lowercase().contains(&gpu.to_lowercase())
                    && surface.is_none_or(|surface| adapter.is_surface_supported(surface))
            };
            adapters.iter().find(is_it).cloned().ok_or_else(|| {
                let names: Vec<String> = adapters.iter().map(|adapter| adapter.get_info().name).collect();
                format!("none that can draw here is called \"{gpu}\"; there are {names:?}")
            })
        };
        Arc::new(select) as _
    });
    let mut options = NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("qwill")
            .with_app_id("qwill")
            .with_inner_size([1080.0, 760.0])
            .with_min_inner_size([620.0, 420.0]),
        ..NativeOptions::default()
    };
    options.wgpu_options.wgpu_setup = WgpuSetup::CreateNew(setup);
    options
}

/// Sets the handlers of the window's device, which models leave alone.
fn watch(context: &CreationContext<'_>, drawing: &RenderState, is_lost: &Arc<AtomicBool>) -> wgpu::Device {
    let device = drawing.device.clone();
    device.on_uncaptured_error(Arc::new(|error| tracing::error!("drawing failed: {error}")));
    let (is_lost, drawn) = (is_lost.clone(), context.egui_ctx.clone());
    device.set_device_lost_callback(move |reason, message| {
        tracing::warn!("the GPU device was lost: {reason:?} {message}");
        is_lost.store(true, Ordering::Relaxed);
        drawn.request_repaint();
    });
    device
}

/// What the window cannot be opened for, and what helps.
fn explain(error: &eframe::Error) -> String {
    let advice = "Install a Vulkan driver (Debian and Ubuntu: apt install mesa-vulkan-drivers, which works without a GPU too), \
                  or on macOS and Windows update the system.";
    match error {
        eframe::Error::Wgpu(WgpuError::CustomNativeAdapterSelectionError(reason)) => {
            format!("The GPU that was asked for was not found: {reason}.")
        }
        eframe::Error::Wgpu(error) => format!("No GPU can be used here: {error}. {advice}"),
        other => format!("The window cannot be opened: {other}"),
    }
}

/// The window, as eframe runs it.
struct Window {
    kept: Rc<RefCell<Kept>>,
    is_lost: Arc<AtomicBool>,
    device: wgpu::Device,
}

impl eframe::App for Window {
    fn logic(&mut self, _: &eframe::egui::Context, _: &mut Frame) {
        // also while the window is hidden: what is generated is kept
        if let Some(app) = &mut self.kept.borrow_mut().app {
            app.catch_up();
        }
    }

    fn ui(&mut self, ui: &mut Ui, _: &mut Frame) {
        let Kept { app, script } = &mut *self.kept.borrow_mut();
        if script.as_mut().is_some_and(Script::takes_device) {
            self.device.destroy();
        }
        if self.is_lost.load(Ordering::Relaxed) || is_lost(&self.device) {
            self.is_lost.store(true, Ordering::Relaxed);
            // egui panics where it would draw on such a device
            return ui.ctx().send_viewport_cmd(ViewportCommand::Close);
        }
        if let Some(app) = app {
            app.show(ui);
            if let Some(script) = script {
                script.advance(ui.ctx(), app);
            }
        }
    }
}
