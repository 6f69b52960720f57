module github.com/frostfleet/frostfleet/bench/baseline

go 1.26.3

require github.com/bytemare/dkg v0.0.0-20241007182121-23ea4d549880

require (
	filippo.io/edwards25519 v1.1.0 // indirect
	filippo.io/nistec v0.0.3 // indirect
	github.com/bytemare/ecc v0.8.2 // indirect
	github.com/bytemare/hash v0.3.0 // indirect
	github.com/bytemare/hash2curve v0.3.0 // indirect
	github.com/bytemare/secp256k1 v0.1.6 // indirect
	github.com/bytemare/secret-sharing v0.7.0 // indirect
	github.com/gtank/ristretto255 v0.1.2 // indirect
	golang.org/x/crypto v0.28.0 // indirect
	golang.org/x/sys v0.26.0 // indirect
)
