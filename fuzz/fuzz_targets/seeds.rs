//! Writes the seeds of every target to `fuzz/corpus/TARGET`, beside what a fuzzer found.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().expect("the folder of the product's sources");
    for (target, _) in zipkind_fuzz::TARGETS {
        let folder = here.join("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        let seeds = zipkind_fuzz::seeds::of(root, target);
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
        println!("{target}: {} seeds", seeds.len());
    }
    Ok(())
}
