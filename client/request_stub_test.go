package client

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signRequest reads a request as nodes do, and signs with the secret keys of children that
// other libraries than internal/derive make.
func (s *gatewayStub) signRequest(r *wire.Result, j *wire.Job) {
	kind, content := j.Request()
	suite := wire.RequestSuite(kind)
	var roots []intent.Root
	for _, k := range j.Keys {
		root := intent.Root{ID: k.Key, Key: derive.Key{Suite: suite, ChainCode: [32]byte(stubChainCode(k.Key))}}
		switch key := s.keys[k.Key].(type) {
		case ed25519.PrivateKey:
			root.Key.PublicKey = key.Public().(ed25519.PublicKey)
		case *btcec.PrivateKey:
			root.Key.PublicKey = key.PubKey().SerializeCompressed()
		default:
			s.t.Errorf("job names unknown key %s", k.Key)
			return
		}
		if k.Path != nil {
			root.Path, _ = derive.ParsePath(*k.Path)
		}
		roots = append(roots, root)
	}
	reading, refusal := tx.Read(tx.Request{Kind: kind, Bytes: content, Roots: roots, Partial: j.Partial},
		s.manifest.Network, newBranches())
	if refusal != nil {
		r.Status, r.Code, r.Error = wire.StatusFailed, wire.Code(refusal.Code), refusal.Reason
		return
	}
	r.Suite = suite.String()
	s.signAll(r, j, reading)
}

func (s *gatewayStub) signAll(r *wire.Result, j *wire.Job, reading tx.Reading) {
	in := reading.Intent()
	var made [][]byte
	for _, asked := range in.Signatures {
		id, path := j.Keys[asked.Root].Key, asked.Path.String()
		signed := wire.Signed{At: &asked.At, Key: id, Path: path}
		switch key := s.keys[id].(type) {
		case ed25519.PrivateKey:
			public, signature := key.Public().(ed25519.PublicKey), ed25519.Sign(key, asked.Message)
			if path != "" {
				public, signature = edwardsChild(s.t, key, stubChainCode(id), path).sign(asked.Message)
			}
			signed.PublicKey, signed.Signature = wire.HexBytes(public), signature
		case *btcec.PrivateKey:
			if path != "" {
				key = taprootChild(s.t, key, stubChainCode(id), path)
			}
			var root []byte
			if asked.Tweak.Mode == frost.TweakScriptRoot {
				root = asked.Tweak.Root[:]
			}
			tweaked := tweak(key, root)
			signature, err := schnorr.Sign(tweaked, asked.Message)
			if err != nil {
				s.t.Error(err)
				return
			}
			signed.PublicKey, signed.Signature = schnorr.SerializePubKey(tweaked.PubKey()), signature.Serialize()
		}
		r.Sigs, made = append(r.Sigs, signed), append(made, signed.Signature)
	}
	for _, f := range in.Refused {
		r.Status, r.Code, r.Error = wire.StatusPartial, wire.Code(f.Code), f.Reason
		r.Sigs = append(r.Sigs, wire.Signed{At: &f.At, Code: wire.Code(f.Code), Error: f.Reason})
	}
	finished, err := reading.Finish(made, j.Finalize)
	if err != nil {
		s.t.Error(err)
	}
	r.PSBT, r.MessageSignature = finished.PSBT, finished.Signature
	r.Transaction = base64.StdEncoding.EncodeToString(finished.Transaction)
	if in.Kind == intent.PSBT {
		r.Transaction = hex.EncodeToString(finished.Transaction)
	}
}
