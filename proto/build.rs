//! Compiles the proto files: messages and services by prost and tonic, and the table of kinds, fields and relations by
//! [`model`], so that an entity is described in one place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a build script reports a fault by panicking"
)]

#[path = "build/model.rs"]
mod model;

use std::{env, fs, path::PathBuf};

fn main() {
    let files = [
        "spil/model/v1/options.proto",
        "spil/model/v1/header.proto",
        "spil/capability/v1/capability.proto",
        "spil/workforce/v1/workforce.proto",
        "spil/initiative/v1/initiative.proto",
        "spil/changefeed/v1/changefeed.proto",
        "spil/changefeed/v1/audit.proto",
        "spil/capability/v1/service.proto",
        "spil/workforce/v1/service.proto",
        "spil/initiative/v1/service.proto",
    ];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    println!("cargo::rerun-if-changed=build/model.rs");

    let mut compiler = protox::Compiler::new(["."]).expect("the folder of the protos");
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(files).unwrap_or_else(|error| panic!("{error:?}"));
    let pool = compiler.descriptor_pool();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));

    tonic_prost_build::configure()
        .out_dir(&out)
        .emit_rerun_if_changed(false)
        .compile_fds(compiler.file_descriptor_set())
        .expect("code for the messages and services");
    fs::write(out.join("model.rs"), model::generate(&pool)).expect("the model table");
}
