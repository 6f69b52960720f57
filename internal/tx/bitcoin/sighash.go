package bitcoin

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/txscript"
)

// sighashes are the types that BIP 341 has, and their names.
var sighashes = map[txscript.SigHashType]string{
	txscript.SigHashDefault:                               "default",
	txscript.SigHashAll:                                   "all",
	txscript.SigHashNone:                                  "none",
	txscript.SigHashSingle:                                "single",
	txscript.SigHashAll | txscript.SigHashAnyOneCanPay:    "all|anyonecanpay",
	txscript.SigHashNone | txscript.SigHashAnyOneCanPay:   "none|anyonecanpay",
	txscript.SigHashSingle | txscript.SigHashAnyOneCanPay: "single|anyonecanpay",
}

// sighashOf is the type that an input asks for: SIGHASH_DEFAULT if it does not say.
func sighashOf(input section) (txscript.SigHashType, error) {
	value := input.get(inSighashType)
	if value == nil {
		return txscript.SigHashDefault, nil
	}
	n := binary.LittleEndian.Uint32(value)
	if _, ok := sighashes[txscript.SigHashType(n)]; !ok {
		return 0, fmt.Errorf("asks for sighash type 0x%02x, which BIP 341 does not have", n)
	}
	return txscript.SigHashType(n), nil
}

// anyoneCanPay reports whether a signature leaves it open what else is spent.
func anyoneCanPay(hash txscript.SigHashType) bool { return hash&txscript.SigHashAnyOneCanPay != 0 }

// allOutputs reports whether a signature commits to all outputs.
func allOutputs(hash txscript.SigHashType) bool {
	hash &^= txscript.SigHashAnyOneCanPay
	return hash == txscript.SigHashDefault || hash == txscript.SigHashAll
}

// inWitness is a signature as it stands in a witness: with the sighash type behind it,
// unless that is the default.
func inWitness(signature []byte, hash txscript.SigHashType) []byte {
	if hash == txscript.SigHashDefault {
		return signature
	}
	return append(signature[:len(signature):len(signature)], byte(hash))
}
