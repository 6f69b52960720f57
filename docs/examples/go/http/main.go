// Command http generates a Solana key and has a message signed over a gateway's HTTP API, end
// to end: this program signs its jobs itself and checks the results, and the gateway, which
// has no key of its client, only carries them.
//
//	FROSTFLEET_TOKEN=ff_... go run . http://127.0.0.1:8080 client.toml keys.jsonl
//
// Of client.toml it needs [client]: the manifest, the access list with the gateways' keys, and
// the client's own key. It connects to no NATS server.
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/frostfleet/frostfleet/client"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 || os.Getenv("FROSTFLEET_TOKEN") == "" {
		log.Fatal("usage: FROSTFLEET_TOKEN=... go run . URL CLIENT_TOML KEYS_FILE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := run(ctx, gateway{os.Args[1], os.Getenv("FROSTFLEET_TOKEN")}, os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, g gateway, configFile, keysFile string) error {
	config, err := client.Load(configFile)
	if err != nil {
		return err
	}
	maker, err := client.NewMaker(config)
	if err != nil {
		return err
	}
	keygen, err := maker.Keygen(client.KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		return err
	}
	made, err := carry(ctx, g, keygen) // proven: all nodes certified it
	if err != nil {
		return err
	}
	if err := save(keysFile, made.Proofs[0]); err != nil {
		return err
	}
	key := made.Keys[0]
	sign, err := maker.Sign(client.SignRequest{Items: []client.SignItem{
		{Key: key.ID, PublicKey: key.PublicKey, Message: []byte("hello from Go over HTTP")},
	}})
	if err != nil {
		return err
	}
	signed, err := carry(ctx, g, sign) // verified
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]string{"key": key.ID, "address": key.Address,
		"signature": hex.EncodeToString(signed.Signatures[0].Signature)})
}

// carry has the gateway carry a job, and returns its result once it is checked. Whatever fails
// on the way, the same job may be sent again, to any gateway.
func carry[R any](ctx context.Context, g gateway, job *client.Made[R]) (*R, error) {
	body := map[string]string{"payload": job.Payload, "signature": hex.EncodeToString(job.Signature)}
	if _, _, err := g.do(ctx, http.MethodPost, "/v1/jobs?wait=30s", body); err != nil {
		return nil, err
	}
	for time.Now().Before(job.Over) {
		text, _, err := g.do(ctx, http.MethodGet, "/v1/jobs/"+job.ID+"?wait=30s", nil)
		if err != nil {
			return nil, err
		}
		var line struct{ Status string }
		if err := json.Unmarshal(text, &line); err != nil {
			return nil, err
		}
		if line.Status == "accepted" || line.Status == "pending" {
			continue // a hint, like all that the gateway says of a job: what counts is its result
		}
		result, header, err := g.do(ctx, http.MethodGet, "/v1/jobs/"+job.ID+"/result", nil)
		if err != nil {
			return nil, err
		}
		signature, err := hex.DecodeString(header.Get("Frost-Signature"))
		if err != nil {
			return nil, err
		}
		return job.Check(result, header.Get("Frost-Gateway"), signature)
	}
	return nil, errors.New("no answer to job " + job.ID)
}

// gateway is the HTTP API of one.
type gateway struct{ url, token string }

func (g gateway) do(ctx context.Context, method, path string, body any) ([]byte, http.Header, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.url+path, content)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+g.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return text, resp.Header, err
}

// save appends what frostctl verify --keys reads.
func save(path string, proof client.Proof) error {
	line, err := json.Marshal(proof)
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
