//! ZF frost for two uses: `zf sign` is what the benchmark compares with (test/bench), and `zf signer` one signer, or
//! who aggregates, of RFC 9591 for test/interop.

mod sign;
mod signer;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["sign", suite, t, n, count] => sign::run(suite, t, n, count),
        ["signer"] => signer::serve(),
        _ => Err("usage: zf sign ed25519|secp256k1-tr T N COUNT, or zf signer".into()),
    };
    if let Err(why) = result {
        eprintln!("{why}");
        std::process::exit(1);
    }
}
