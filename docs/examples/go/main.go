// Command go generates a Solana key with a Frostfleet and has a message
// signed, with nothing but nats.go and crypto/ed25519.
//
//	go run . nats://127.0.0.1:4222 manifest.json client0 client.key gateway0 GATEWAY_PUBLIC_KEY keys.jsonl
//
// It shows what goes over the wire. Programs in Go use the package client, which
// also checks certificates, cuts large requests and waits while the fleet is busy.
//
// Credentials and TLS come from the variables that the nats command line reads:
// NATS_NKEY or NATS_CREDS, NATS_CA.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// fleet is one client of one fleet.
type fleet struct {
	nc         *nats.Conn
	manifest   manifest
	client     string
	key        ed25519.PrivateKey
	gateway    string
	gatewayKey ed25519.PublicKey
}

// manifest is the fleet's manifest.json.
type manifest struct {
	Version        int
	Fleet, Network string
	N, T, Epoch    uint32
	AttestSigning  bool `json:"attest_signing"`
	Nodes          []struct {
		Index                uint32
		Identity, Encryption string // hexadecimal
	}
}

// result is what this example needs of a result.
type result struct {
	Digest   string `json:"digest"`
	Rejected string `json:"rejected"`
	Status   string `json:"status"`
	Code     string `json:"code"`
	Error    string `json:"error"`
	Keys     []struct {
		ID, Address string
		PublicKey   string `json:"public_key"`
	}
	Signatures []struct{ Key, Signature string }
}

// run publishes a job and returns its payload, its result, and the result's
// JSON.
func (f *fleet) run(kind string, fields map[string]any) (payload []byte, r *result, raw []byte, err error) {
	job, expires := uuid.NewString(), time.Now().Add(10*time.Minute)
	fields["job"], fields["kind"], fields["expires"] = job, kind, expires
	if payload, err = json.Marshal(fields); err != nil {
		return nil, nil, nil, err
	}
	announced, err := f.nc.SubscribeSync(f.resultSubject(job))
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { _ = announced.Unsubscribe() }()
	m := nats.NewMsg("frost." + f.manifest.Fleet + ".job." + kind + "." + f.client)
	m.Data = payload
	signature := hex.EncodeToString(ed25519.Sign(f.key, f.signed("frostfleet/job/v2", m.Subject, payload)))
	m.Header.Set("Frost-Client", f.client)
	m.Header.Set("Frost-Signature", signature)
	ack, err := f.nc.RequestMsg(m, 5*time.Second)
	if err != nil {
		return nil, nil, nil, err
	}
	var stored struct {
		Error     *struct{ Description string } // 10077: busy, 256 open jobs of this kind
		Duplicate bool                          // it had the Nats-Msg-Id of another message, which is there in its place
	}
	if err := json.Unmarshal(ack.Data, &stored); err != nil || stored.Error != nil || stored.Duplicate {
		return nil, nil, nil, fmt.Errorf("not stored: %s", ack.Data)
	}
	want := hex.EncodeToString(hash("frostfleet/job/v2", f.manifest.hash(), []byte(f.manifest.Fleet),
		[]byte(f.manifest.Network), []byte(kind), []byte(f.client), payload))
	for time.Now().Before(expires) {
		m, err := f.answer(announced, job)
		if err != nil {
			return nil, nil, nil, err
		}
		if m == nil {
			continue
		}
		r, err := f.verified(m, job)
		switch {
		case err != nil:
			log.Print("ignored a result: ", err) // anybody may have put it there
		case r.Digest != want, r.Rejected != "" && r.Rejected != signature:
			log.Print("ignored the result of another job")
		case r.Status != "done":
			return nil, nil, nil, fmt.Errorf("%s: %s", r.Code, r.Error)
		default:
			return payload, r, m.Data, nil
		}
	}
	return nil, nil, nil, errors.New("no answer to job " + job)
}

func (f *fleet) resultSubject(job string) string {
	return "frost." + f.manifest.Fleet + ".result." + f.client + "." + job
}

// signed is what client and gateways sign: a tag, the subject, the network, the
// manifest's hash and the payload, a line each.
func (f *fleet) signed(tag, subject string, payload []byte) []byte {
	return fmt.Appendf(nil, "%s\n%s\n%s\n%x\n%s", tag, subject, f.manifest.Network, f.manifest.hash(), payload)
}

// answer is the announced result, or after a while of silence the stored one.
func (f *fleet) answer(announced *nats.Subscription, job string) (*nats.Msg, error) {
	m, err := announced.NextMsg(5 * time.Second)
	if !errors.Is(err, nats.ErrTimeout) {
		return m, err
	}
	stream := "FROST_" + strings.ToUpper(f.manifest.Fleet) + "_RESULTS"
	m, err = f.nc.Request("$JS.API.DIRECT.GET."+stream+".frost."+f.manifest.Fleet+".res."+f.client+"."+job, nil, 5*time.Second)
	if err != nil || m.Header.Get("Status") != "" {
		return nil, err
	}
	return m, nil
}

// verified is the result, if the fleet's gateway signed it.
func (f *fleet) verified(m *nats.Msg, job string) (*result, error) {
	signature, err := hex.DecodeString(m.Header.Get("Frost-Signature"))
	signed := f.signed("frostfleet/result/v2", f.resultSubject(job), m.Data)
	if err != nil || m.Header.Get("Frost-Gateway") != f.gateway || !ed25519.Verify(f.gatewayKey, signed, signature) {
		return nil, errors.New("not signed by " + f.gateway)
	}
	var r result
	return &r, json.Unmarshal(m.Data, &r)
}

// hash is SHA-256 over the tag's hash, twice, and parts with their lengths.
func hash(tag string, parts ...[]byte) []byte {
	t := sha256.Sum256([]byte(tag))
	b := append(t[:], t[:]...)
	for _, part := range parts {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// hash is the manifest's identity, which every signature of the fleet names.
func (m manifest) hash() []byte {
	parts := [][]byte{[]byte(m.Fleet), []byte(m.Network)}
	attest := uint32(0)
	if m.AttestSigning {
		attest = 1
	}
	for _, v := range []uint32{m.N, m.T, m.Epoch, attest} {
		parts = append(parts, binary.BigEndian.AppendUint32(nil, v))
	}
	for _, node := range m.Nodes {
		for _, key := range []string{node.Identity, node.Encryption} {
			raw, _ := hex.DecodeString(key) // what is wrong with it shows in the hash
			parts = append(parts, raw)
		}
	}
	return hash("frostfleet/manifest/v1", parts...)
}

// connection reads credentials, a file with an nkey's seed or a .creds file, and
// the authority's certificate.
func connection() (options []nats.Option, err error) {
	if file := os.Getenv("NATS_NKEY"); file != "" {
		option, err := nats.NkeyOptionFromSeed(file)
		if err != nil {
			return nil, err
		}
		options = append(options, option)
	}
	if file := os.Getenv("NATS_CREDS"); file != "" {
		options = append(options, nats.UserCredentials(file))
	}
	if file := os.Getenv("NATS_CA"); file != "" {
		options = append(options, nats.RootCAs(file))
	}
	return options, nil
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 8 {
		log.Fatal("usage: go run . URL MANIFEST CLIENT KEY_FILE GATEWAY GATEWAY_PUBLIC_KEY KEYS_FILE")
	}
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	f := &fleet{client: args[2], gateway: args[4]}
	text, err := os.ReadFile(args[1])
	if err == nil {
		err = json.Unmarshal(text, &f.manifest)
	}
	if err != nil {
		return err
	}
	text, err = os.ReadFile(args[3])
	if err != nil {
		return err
	}
	seed, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return errors.New(args[3] + " holds no seed of 64 hexadecimal digits")
	}
	gatewayKey, err := hex.DecodeString(args[5])
	if err != nil || len(gatewayKey) != ed25519.PublicKeySize {
		return errors.New("the gateway's key has 64 hexadecimal digits")
	}
	options, err := connection()
	if err != nil {
		return err
	}
	if f.nc, err = nats.Connect(args[0], options...); err != nil {
		return err
	}
	defer f.nc.Close()
	f.key, f.gatewayKey = ed25519.NewKeyFromSeed(seed), gatewayKey

	job, r, raw, err := f.run("keygen", map[string]any{"chain": "solana", "count": 1})
	if err != nil {
		return err
	}
	if err := save(args[6], f.client, job, raw); err != nil {
		return err
	}
	if len(r.Keys) != 1 {
		return fmt.Errorf("%d keys instead of one", len(r.Keys))
	}
	key := r.Keys[0]

	message := []byte("hello from Go")
	items := []map[string]string{{"key": key.ID, "message": hex.EncodeToString(message)}}
	if _, r, _, err = f.run("sign", map[string]any{"items": items}); err != nil {
		return err
	}
	public, err := hex.DecodeString(key.PublicKey)
	if err != nil || len(public) != ed25519.PublicKeySize || len(r.Signatures) != 1 {
		return errors.New("not one key and one signature")
	}
	signature, err := hex.DecodeString(r.Signatures[0].Signature)
	if err != nil || !ed25519.Verify(public, message, signature) {
		return errors.New("the signature does not verify")
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]string{"key": key.ID, "address": key.Address, "signature": r.Signatures[0].Signature})
}

// save appends what frostctl verify --keys reads.
func save(path, client string, job, result []byte) error {
	line, err := json.Marshal(map[string]any{"client": client, "job": string(job), "result": json.RawMessage(result)})
	if err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	return errors.Join(err, out.Close())
}
