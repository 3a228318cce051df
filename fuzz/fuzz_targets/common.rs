//! What every target does before it begins.

use std::path::Path;

/// Writes the seeds of a target into the folder that `ZIPKIND_FUZZ_SEEDS` names, from where the fuzzer reads them next.
pub fn plant_seeds(target: &str) {
    let Some(folder) = std::env::var_os("ZIPKIND_FUZZ_SEEDS") else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the product's sources");
    std::fs::create_dir_all(&folder).expect("a folder for seeds");
    for (number, seed) in zipkind_fuzz::seeds::of(root, target).iter().enumerate() {
        std::fs::write(Path::new(&folder).join(format!("seed-{number}")), seed).expect("a seed is written");
    }
}
