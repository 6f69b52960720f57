//! What a signature costs in ZF frost, as all of its t signers and who aggregates: `round1::commit` and `round2::sign`
//! by each, one `aggregate` with its own verification, for Taproot with the tweak of BIP 341. One thread, nothing is
//! encoded, decoded, stored or sent. The API has no batches: a batch here is one phase after the other for all
//! signatures of it, each of a key of its own. A trusted dealer makes the keys beforehand.

use frost_core::keys::{generate_with_dealer, IdentifierList, KeyPackage, PublicKeyPackage};
use frost_core::round1::{commit, SigningCommitments, SigningNonces};
use frost_core::round2::SignatureShare;
use frost_core::{Ciphersuite, Error, Identifier, Signature, SigningPackage};
use rand::rngs::OsRng;
use rand::RngCore;
use std::collections::BTreeMap;
use std::time::Duration;

type Failure = Box<dyn std::error::Error>;

type Sign<C> = fn(&SigningPackage<C>, &SigningNonces<C>, &KeyPackage<C>) -> Result<SignatureShare<C>, Error<C>>;
type Aggregate<C> = fn(
    &SigningPackage<C>,
    &BTreeMap<Identifier<C>, SignatureShare<C>>,
    &PublicKeyPackage<C>,
) -> Result<Signature<C>, Error<C>>;

pub fn run(suite: &str, t: &str, n: &str, count: &str) -> Result<(), Failure> {
    let (t, n, count) = (t.parse()?, n.parse()?, count.parse()?);
    match suite {
        "ed25519" => measure(suite, t, n, count, frost_ed25519::round2::sign, frost_ed25519::aggregate),
        "secp256k1-tr" => measure(
            suite,
            t,
            n,
            count,
            |package, nonces, key| frost_secp256k1_tr::round2::sign_with_tweak(package, nonces, key, None),
            |package, shares, keys| frost_secp256k1_tr::aggregate_with_tweak(package, shares, keys, None),
        ),
        _ => Err(format!("no suite {suite}").into()),
    }
}

/// One key as its signers have it and as everybody does.
struct Key<C: Ciphersuite> {
    signers: Vec<KeyPackage<C>>,
    public: PublicKeyPackage<C>,
}

/// The dealer's shares are not verified: it is this function.
fn deal<C: Ciphersuite>(t: u16, n: u16) -> Result<Key<C>, Error<C>> {
    let (shares, public) = generate_with_dealer::<C, _>(n, t, IdentifierList::Default, &mut OsRng)?;
    let signer = |(id, share): (&Identifier<C>, &frost_core::keys::SecretShare<C>)| {
        KeyPackage::new(*id, *share.signing_share(), public.verifying_shares()[id], *public.verifying_key(), t)
    };
    let signers = shares.iter().take(t.into()).map(signer).collect();
    Ok(Key { signers, public })
}

fn measure<C: Ciphersuite>(
    suite: &str, t: u16, n: u16, count: usize, sign: Sign<C>, aggregate: Aggregate<C>,
) -> Result<(), Failure> {
    let keys: Vec<Key<C>> = (0..count).map(|_| deal(t, n)).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    batch(&keys[..count.min(20)], sign, aggregate).map_err(|e| e.to_string())?; // warm
    let start = cpu_time();
    batch(&keys, sign, aggregate).map_err(|e| e.to_string())?;
    let each = (cpu_time() - start).as_secs_f64() * 1000.0 / count as f64;
    println!(r#"{{"library":"ZF frost","suite":"{suite}","count":{count},"cpu_ms_each":{each}}}"#);
    Ok(())
}

/// Signs a fresh message with each key: all signers commit, all sign, one aggregates and verifies.
fn batch<C: Ciphersuite>(keys: &[Key<C>], sign: Sign<C>, aggregate: Aggregate<C>) -> Result<(), Error<C>> {
    let mut nonces: Vec<Vec<SigningNonces<C>>> = Vec::with_capacity(keys.len());
    let mut packages = Vec::with_capacity(keys.len());
    for key in keys {
        let mut commitments: BTreeMap<Identifier<C>, SigningCommitments<C>> = BTreeMap::new();
        let mut own = Vec::with_capacity(key.signers.len());
        for signer in &key.signers {
            let (secret, public) = commit(signer.signing_share(), &mut OsRng);
            own.push(secret);
            commitments.insert(*signer.identifier(), public);
        }
        let mut message = [0; 32];
        OsRng.fill_bytes(&mut message);
        nonces.push(own);
        packages.push(SigningPackage::new(commitments, &message));
    }
    let mut answers = Vec::with_capacity(keys.len());
    for ((key, own), package) in keys.iter().zip(&nonces).zip(&packages) {
        let mut shares = BTreeMap::new();
        for (signer, secret) in key.signers.iter().zip(own) {
            shares.insert(*signer.identifier(), sign(package, secret, signer)?);
        }
        answers.push(shares);
    }
    for ((key, package), shares) in keys.iter().zip(&packages).zip(&answers) {
        aggregate(package, shares, &key.public)?;
    }
    Ok(())
}

/// What this process used, in all its threads.
fn cpu_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    assert_eq!(result, 0, "the system has no clock of the process");
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
