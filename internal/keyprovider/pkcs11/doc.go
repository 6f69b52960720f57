// Package pkcs11 is the key provider for hardware security modules and smart
// cards, through the PKCS#11 library that their vendor ships.
//
// # Keys
//
// The identity key is a P-256 private key, found by its label; it signs with
// CKM_ECDSA. The derivation key is found by its label too, and its kind says
// how Derive works, so that a firmware update can't change it:
//
//   - a generic secret: CKM_SHA256_HMAC over the label, the function that AWS
//     KMS and the software provider compute too;
//   - a P-256 private key, for tokens without HMAC: CKM_ECDH1_DERIVE of the key
//     with a point hashed from the label, then SHA-256 over the x coordinate
//     and the label. That this is a pseudo-random function rests on the
//     computational Diffie-Hellman assumption on P-256, with SHA-256 taken as a
//     random oracle; HMAC needs no more than that HMAC-SHA256 is one. Who may
//     use that key for ECDH can compute every derived value: it must serve
//     nothing else.
//
// # One owner
//
// A library is initialised once for all providers of a process, and finalised
// when the last one closes. A token's login belongs to the process and not to a
// session: providers of one token share it, and none of them logs out. The
// token logs the process out when its last session closes.
//
// # Trouble
//
// A call that a token answers with a lost session, handle, login or device
// fails; the next call finds the token again, by its label wherever it is now,
// logs in and checks that the keys are the ones that were there before. If that
// does not help and no other token of the library is in use, the library is
// initialised again: SoftHSM and others list their tokens at that time only.
// There is at most one such try a second. Failures that say nothing of the
// connection end it when they repeat. Another token with the same label gets
// no PIN: serial number, maker, model and public key tell them apart.
//
// A call runs on a goroutine of its own. When its context ends the caller goes
// on, and the session is out of use until the call returns. Once as many calls
// as there are sessions hang, further ones fail at once.
//
// # PIN
//
// Tokens lock after a few wrong PINs. A PIN that was refused is never tried
// again in this process, one that was answered with an error that may mean
// that it is wrong is tried once more, and a token whose flags report a wrong
// PIN since the last right one is not logged in to unless Options.AfterWrongPIN
// says so, which stops a supervisor's restarts from locking it. Many tokens
// report nothing of the kind, and two processes may look at the same time:
// Options.Tried stands in for that, and keeps a doubt from one process to the
// next.
//
// PINs and derived values are wiped here. The copies that C code makes of them
// are freed without wiping, in the binding and in the vendor's library.
package pkcs11
