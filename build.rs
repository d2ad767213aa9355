//! Compiles the `.proto` files with protox, so that nobody needs protoc to build netsieve.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "proto/server/network_connection.proto",
        "proto/netsieve/v1/event.proto",
    ];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    prost_build::Config::new().compile_fds(protox::compile(files, ["proto"])?)?;
    Ok(())
}
