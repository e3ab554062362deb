//! Embeds the console, where it was built.
#![allow(clippy::expect_used, reason = "a build script reports a fault by panicking")]

use std::{
    env,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

fn main() {
    let dist = Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../console/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    if dist.is_dir() {
        list(&dist, &mut files).expect("the folder of the console");
    }
    files.sort();
    let mut source =
        String::from("/// The files of the console: path and content.\nstatic FILES: &[(&str, &[u8])] = &[\n");
    for file in files {
        let path = file.strip_prefix(&dist).expect("a file in the folder").to_string_lossy().replace('\\', "/");
        let file = file.canonicalize().expect("a file that is there");
        writeln!(source, "    ({path:?}, include_bytes!({file:?})),").expect("a text");
    }
    source.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("console.rs"), source).expect("the list of the console's files");
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
