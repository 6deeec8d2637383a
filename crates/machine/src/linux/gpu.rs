//! Accelerators on the PCI bus, from `/sys/bus/pci/devices`; no driver is loaded or asked.

use super::{Root, value_of};
use crate::{Bytes, Gpu};

const DEVICES: &str = "/sys/bus/pci/devices";

pub(super) fn gpus(root: &Root) -> Vec<Gpu> {
    root.names(DEVICES).into_iter().filter_map(|bus| gpu(root, bus)).collect()
}

fn gpu(root: &Root, bus: String) -> Option<Gpu> {
    let at = format!("{DEVICES}/{bus}");
    let class = hex(&root.text(format!("{at}/class"))?)?;
    // 0x03: display controllers, 0x12: processing accelerators.
    if !matches!(class >> 16, 0x03 | 0x12) {
        return None;
    }
    let vendor_id = hex(&root.text(format!("{at}/vendor"))?)?;
    let device = hex(&root.text(format!("{at}/device"))?)?;
    let vendor = match vendor_id {
        0x10de => "NVIDIA".to_owned(),
        0x1002 => "AMD".to_owned(),
        0x8086 => "Intel".to_owned(),
        // What virtual machines show: a screen, nothing to compute with.
        0x1234 | 0x1013 | 0x1af4 | 0x15ad | 0x1414 | 0x1b36 | 0x80ee => return None,
        other => format!("{other:#06x}"),
    };
    let stated = root
        .text(format!("/proc/driver/nvidia/gpus/{bus}/information"))
        .and_then(|text| value_of(&text, "Model").map(str::to_owned))
        .or_else(|| root.text(format!("{at}/product_name")).filter(|name| !name.is_empty()));
    Some(Gpu {
        name: stated.unwrap_or_else(|| format!("{vendor} {device:#06x}")),
        vendor,
        driver: root.link_name(format!("{at}/driver")),
        memory: root.number(format!("{at}/mem_info_vram_total")).map(Bytes),
        bus,
    })
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
