// Command go generates a Solana key with a Frostfleet and has a message
// signed, with nothing but nats.go and crypto/ed25519.
//
//	go run . nats://127.0.0.1:4222 dev client0 client.key gateway0 GATEWAY_PUBLIC_KEY keys.jsonl
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
	nc           *nats.Conn
	name, client string
	key          ed25519.PrivateKey
	gateway      string
	gatewayKey   ed25519.PublicKey
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
	m := nats.NewMsg("frost." + f.name + ".job." + kind + "." + f.client)
	m.Data = payload
	signature := hex.EncodeToString(ed25519.Sign(f.key, []byte("frostfleet/job/v1\n"+m.Subject+"\n"+string(payload))))
	m.Header.Set("Frost-Client", f.client)
	m.Header.Set("Frost-Signature", signature)
	ack, err := f.nc.RequestMsg(m, 5*time.Second)
	if err != nil {
		return nil, nil, nil, err
	}
	var stored struct{ Error *struct{ Description string } }
	if err := json.Unmarshal(ack.Data, &stored); err != nil || stored.Error != nil { // 10077: busy, 256 open jobs of this kind
		return nil, nil, nil, fmt.Errorf("not stored: %s", ack.Data)
	}
	want := digest(f.name, kind, f.client, string(payload))
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
		case r.Rejected != "" && r.Rejected != signature, r.Rejected == "" && r.Digest != want:
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
	return "frost." + f.name + ".result." + f.client + "." + job
}

// answer is the announced result, or after a while of silence the stored one.
func (f *fleet) answer(announced *nats.Subscription, job string) (*nats.Msg, error) {
	m, err := announced.NextMsg(5 * time.Second)
	if !errors.Is(err, nats.ErrTimeout) {
		return m, err
	}
	stream := "FROST_" + strings.ToUpper(f.name) + "_RESULTS"
	m, err = f.nc.Request("$JS.API.DIRECT.GET."+stream+".frost."+f.name+".res."+f.client+"."+job, nil, 5*time.Second)
	if err != nil || m.Header.Get("Status") != "" {
		return nil, err
	}
	return m, nil
}

// verified is the result, if the fleet's gateway signed it.
func (f *fleet) verified(m *nats.Msg, job string) (*result, error) {
	signature, err := hex.DecodeString(m.Header.Get("Frost-Signature"))
	signed := append([]byte("frostfleet/result/v1\n"+f.resultSubject(job)+"\n"), m.Data...)
	if err != nil || m.Header.Get("Frost-Gateway") != f.gateway || !ed25519.Verify(f.gatewayKey, signed, signature) {
		return nil, errors.New("not signed by " + f.gateway)
	}
	var r result
	return &r, json.Unmarshal(m.Data, &r)
}

// digest is a job's identity: a tagged hash over fleet, kind, client and
// payload.
func digest(parts ...string) string {
	tag := sha256.Sum256([]byte("frostfleet/job/v1"))
	b := append(tag[:], tag[:]...)
	for _, part := range parts {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
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
		log.Fatal("usage: go run . URL FLEET CLIENT KEY_FILE GATEWAY GATEWAY_PUBLIC_KEY KEYS_FILE")
	}
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	text, err := os.ReadFile(args[3])
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
	nc, err := nats.Connect(args[0], options...)
	if err != nil {
		return err
	}
	defer nc.Close()
	f := &fleet{nc: nc, name: args[1], client: args[2], key: ed25519.NewKeyFromSeed(seed), gateway: args[4], gatewayKey: gatewayKey}

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
