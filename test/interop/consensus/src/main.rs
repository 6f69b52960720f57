//! The script verification of Bitcoin Core, as the crate bitcoinconsensus has it, for test/interop. Each line names a
//! transaction and what its inputs spend, SCRIPT:AMOUNT each, and is answered with a line as the other programs do.

use bitcoinconsensus::{verify, Utxo};
use std::io::{stdin, BufRead};

fn bytes(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok()).collect()
}

struct Spend {
    transaction: Vec<u8>,
    outputs: Vec<(Vec<u8>, u64)>,
}

fn parse(line: &str) -> Option<Spend> {
    let mut words = line.split_ascii_whitespace();
    let transaction = bytes(words.next()?)?;
    let output = |word: &str| {
        let (script, amount) = word.split_once(':')?;
        Some((bytes(script)?, amount.parse().ok()?))
    };
    Some(Spend { transaction, outputs: words.map(output).collect::<Option<_>>()? })
}

/// What is wrong with the inputs, one after the other.
fn judge(spend: &Spend) -> Vec<String> {
    let of = |(script, amount): &(Vec<u8>, u64)| Utxo {
        script_pubkey: script.as_ptr(),
        script_pubkey_len: script.len() as u32,
        value: *amount as i64,
    };
    let spent: Vec<Utxo> = spend.outputs.iter().map(of).collect();
    let refuse = |(i, (script, amount)): (usize, &(Vec<u8>, u64))| {
        let error = verify(script, *amount, &spend.transaction, Some(&spent), i).err()?;
        Some(format!("\"input {}: {:?}\"", i, error))
    };
    spend.outputs.iter().enumerate().filter_map(refuse).collect()
}

fn main() {
    for line in stdin().lock().lines() {
        let line = line.expect("a line of text");
        match parse(&line) {
            Some(spend) => println!(r#"{{"compared":{},"wrong":[{}]}}"#, spend.outputs.len(), judge(&spend).join(",")),
            None => println!(r#"{{"compared":0,"wrong":["not a question"]}}"#),
        }
    }
}
