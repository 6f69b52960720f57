package solana

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// What is signed is what @solana/offchain-messages 8.4.0 compiles, whole or as its SHA-256.
func TestReadMessage(t *testing.T) {
	t.Parallel()
	const begin = "ff736f6c616e61206f6666636861696e00" +
		"0000000000000000000000000000000000000000000000000000000000000000"
	const us = "5a3bf7f5d197bfbb61e7197f2010506779965a1c334721c865825885e89e81b7"
	hello := begin + "0001" + us + "1100" + hex.EncodeToString([]byte("Hello, Frostfleet"))
	const digest1147 = "8b6ba6d404cf704f7a49383a7df2dfa3e8b6c45290d636111b7341a55c86a567"
	const digest1148 = "c0b17316928057ce2492e7a4cfd5e0b3ba1edacabcbdced70a0806e651498b30"
	for name, test := range map[string]struct{ text, message, digest string }{
		"ASCII":              {text: "Hello, Frostfleet", message: hello},
		"UTF-8":              {text: "Grüße\n", message: begin + "0101" + us + "08004772c3bcc39f650a"},
		"two lines":          {text: "a\nb", message: begin + "0101" + us + "0300610a62"},
		"longest on devices": {text: strings.Repeat("x", 1147), digest: digest1147},
		"longer":             {text: strings.Repeat("x", 1148), digest: digest1148},
	} {
		t.Run(name, func(t *testing.T) {
			m, refusal := ReadMessage(test.text, rootOf("us"), newCache())
			if refusal != nil {
				t.Fatal(refusal)
			}
			in := m.Intent()
			message := in.Signatures[0].Message
			if test.message != "" && hex.EncodeToString(message) != test.message {
				t.Errorf("%x", message)
			}
			digest := sha256.Sum256(message)
			if id := hex.EncodeToString(digest[:]); in.ID != id || test.digest != "" && id != test.digest {
				t.Errorf("id %s, digest %s", in.ID, id)
			}
			if in.Kind != intent.SolanaMessage || in.Text != test.text || len(in.Signatures) != 1 ||
				looksLikeTransaction(message) {
				t.Errorf("%+v", in)
			}
			signature := ed25519.Sign(secret("us"), message)
			done, err := m.Finish([][]byte{signature}, true)
			if err != nil || string(done.Signature) != string(signature) {
				t.Errorf("%v", err)
			}
			for _, bad := range [][][]byte{nil, {nil}, {signature[1:]}, {signature, signature}} {
				if _, err := m.Finish(bad, true); err == nil {
					t.Errorf("%d signatures were taken", len(bad))
				}
			}
		})
	}
}

func TestMessageOfChild(t *testing.T) {
	t.Parallel()
	root := rootOf("us", 1, 2)
	m, refusal := ReadMessage("Hello", root, newCache())
	if refusal != nil {
		t.Fatal(refusal)
	}
	child, err := root.Key.Child(root.Path)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Intent().Signatures[0]
	if !ed25519.Verify(child.PublicKey, s.Message, signChild(t, "us", s.Offsets, s.Message)) ||
		string(s.Message[51:83]) != string(child.PublicKey) {
		t.Errorf("%+v", s)
	}
}

func TestBadMessages(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", MaxText)
	m, refusal := ReadMessage(longest, rootOf("us"), newCache())
	if refusal != nil || len(m.Intent().Signatures[0].Message) != frost.MaxMessage {
		t.Fatal(refusal)
	}
	for name, test := range map[string]struct{ text, code, says string }{
		"empty":     {"", intent.BadMessage, "empty"},
		"too long":  {longest + "x", intent.BadMessage, "4012 bytes, more than 4011"},
		"not UTF-8": {"a\xff", intent.BadMessage, "not UTF-8"},
		"surrogate": {"\xed\xa0\x80", intent.BadMessage, "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, refusal := ReadMessage(test.text, rootOf("us"), newCache()); refusal == nil ||
				refusal.Code != test.code || !strings.Contains(refusal.Reason, test.says) {
				t.Errorf("%v", refusal)
			}
		})
	}
	secp := rootOf("us")
	secp.Key.Suite = frost.Secp256k1TR
	if _, refusal := ReadMessage("Hello", secp, newCache()); refusal == nil || refusal.Code != intent.NoInput {
		t.Errorf("%v", refusal)
	}
}
