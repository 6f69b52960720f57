//! One signer of RFC 9591's FROST(Ed25519, SHA-512), or who aggregates. Bytes are hexadecimal in the RFC's encodings,
//! identifiers are numbers from 1 on. Each line is a question and is answered with a line, a JSON object:
//!
//!     commit T ID SHARE KEY               {"message": "HIDING BINDING"}, both in one
//!     sign MESSAGE ID:NONCE ...           {"message": "SHARE"}, of the last commit, which is used up
//!     aggregate T KEY MESSAGE ID:NONCE:SHARE:PUBSHARE ...
//!                                         {"message": "SIGNATURE"}, or {"wrong": ["ID", ...]} names who cheats

use frost_ed25519::keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare};
use frost_ed25519::round1::{commit, NonceCommitment, SigningCommitments, SigningNonces};
use frost_ed25519::round2::{sign, SignatureShare};
use frost_ed25519::{CheaterDetection, Identifier, SigningPackage, VerifyingKey};
use std::collections::BTreeMap;
use std::io::{stdin, BufRead};

type Failure = Box<dyn std::error::Error>;

pub fn serve() -> Result<(), Failure> {
    let mut held = None;
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match answer(&words, &mut held) {
            Ok(text) => println!("{text}"),
            Err(why) => println!(r#"{{"wrong":[{:?}]}}"#, why.to_string()),
        }
    }
    Ok(())
}

/// What a signer keeps between the rounds.
type Held = Option<(KeyPackage, SigningNonces)>;

fn answer(words: &[&str], held: &mut Held) -> Result<String, Failure> {
    match words {
        ["commit", t, id, share, key] => {
            let share = SigningShare::deserialize(&hex::decode(share)?)?;
            let public = VerifyingShare::from(share);
            let package = KeyPackage::new(identifier(id)?, share, public, verifying_key(key)?, t.parse()?);
            let (nonces, commitments) = commit(package.signing_share(), &mut rand::rngs::OsRng);
            *held = Some((package, nonces));
            let mut both = commitments.hiding().serialize()?;
            both.extend(commitments.binding().serialize()?);
            Ok(message(&both))
        }
        ["sign", text, set @ ..] => {
            let (package, nonces) = held.take().ok_or("no nonce is held")?;
            let mut all = BTreeMap::new();
            for word in set {
                let (id, nonce) = word.split_once(':').ok_or("ID:NONCE")?;
                all.insert(identifier(id)?, commitments(nonce)?);
            }
            let share = sign(&SigningPackage::new(all, &hex::decode(text)?), &nonces, &package)?;
            Ok(message(&share.serialize()))
        }
        ["aggregate", t, key, text, parts @ ..] => aggregate(t.parse()?, key, text, parts),
        _ => Err("not a question".into()),
    }
}

fn aggregate(t: u16, key: &str, text: &str, parts: &[&str]) -> Result<String, Failure> {
    let (mut all, mut shares, mut public) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut names = BTreeMap::new();
    for part in parts {
        let [id, nonce, share, pubshare] = part.split(':').collect::<Vec<_>>()[..] else {
            return Err("ID:NONCE:SHARE:PUBSHARE".into());
        };
        let name = identifier(id)?;
        names.insert(name, id);
        all.insert(name, commitments(nonce)?);
        shares.insert(name, SignatureShare::deserialize(&hex::decode(share)?)?);
        public.insert(name, VerifyingShare::deserialize(&hex::decode(pubshare)?)?);
    }
    let package = SigningPackage::new(all, &hex::decode(text)?);
    let keys = PublicKeyPackage::new(public, verifying_key(key)?, Some(t));
    match frost_ed25519::aggregate_custom(&package, &shares, &keys, CheaterDetection::AllCheaters) {
        Ok(signature) => Ok(message(&signature.serialize()?)),
        Err(frost_ed25519::Error::InvalidSignatureShare { culprits }) => {
            let culprits: Vec<String> = culprits.iter().map(|id| format!("{:?}", names[id])).collect();
            Ok(format!(r#"{{"wrong":[{}]}}"#, culprits.join(",")))
        }
        Err(why) => Err(why.into()),
    }
}

fn message(bytes: &[u8]) -> String {
    format!(r#"{{"message":"{}"}}"#, hex::encode(bytes))
}

fn identifier(word: &str) -> Result<Identifier, Failure> {
    Ok(Identifier::try_from(word.parse::<u16>()?)?)
}

fn verifying_key(word: &str) -> Result<VerifyingKey, Failure> {
    Ok(VerifyingKey::deserialize(&hex::decode(word)?)?)
}

fn commitments(word: &str) -> Result<SigningCommitments, Failure> {
    let both = hex::decode(word)?;
    let half = |at| both.get(at..at + 32).ok_or("a nonce has 64 bytes");
    Ok(SigningCommitments::new(NonceCommitment::deserialize(half(0)?)?, NonceCommitment::deserialize(half(32)?)?))
}
