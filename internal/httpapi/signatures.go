package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Answer is what has come of a request for signatures.
type Answer struct {
	Job              string      `json:"job" doc:"Id of the job: its line is at the header Location"`
	Status           string      `json:"status" enum:"accepted,pending,done,partial,denied,failed" doc:"accepted: it is on the way; pending: it waits for approvals"`
	Code             string      `json:"code,omitempty" doc:"denied, failed: why, for programs (docs/jobs.md)"`
	Error            string      `json:"error,omitempty" doc:"pending, denied, failed: why, for people"`
	Signatures       []Signature `json:"signatures,omitempty" doc:"In the order of the items, inputs or signers"`
	PSBT             []byte      `json:"psbt,omitempty" doc:"With the signatures in it"`
	Transaction      string      `json:"transaction,omitempty" doc:"Ready for the network: bitcoin in hexadecimal, if it is final; solana in base64"`
	MessageSignature []byte      `json:"message_signature,omitempty" doc:"As wallets take it: of BIP 322 the witness, of Solana the 64 bytes"`
}

// Signature is one signature, verified by the gateway, or why there is none.
type Signature struct {
	At        *int   `json:"at,omitempty" doc:"Number of the input or signer"`
	Key       string `json:"key,omitempty"`
	Path      string `json:"path,omitempty" doc:"To the child that signed"`
	PublicKey string `json:"public_key,omitempty" pattern:"^[0-9a-f]{64}$" doc:"Verifies it: x-only output key (BIP 341), or Ed25519; 32 bytes"`
	Signature string `json:"signature,omitempty" pattern:"^[0-9a-f]{128}$" doc:"64 bytes"`
	Code      string `json:"code,omitempty" doc:"Refused: why, for programs"`
	Error     string `json:"error,omitempty" doc:"Refused: why, for people"`
}

type AnswerOutput struct {
	Status   int
	Location string `header:"Location" doc:"Of the job"`
	Body     Answer
}

// answer is that of a job.
func answer[R any](job string, o outcome[R], show func(*Answer, *R)) *AnswerOutput {
	out := &AnswerOutput{Status: o.status(), Location: jobPath(job),
		Body: Answer{Job: job, Status: string(o.state), Code: o.code, Error: o.text}}
	if o.result != nil {
		show(&out.Body, o.result)
	}
	for _, it := range o.refused {
		out.Body.Signatures[it.Item] = Signature{Key: it.Key, Code: string(it.Code), Error: it.Message}
	}
	return out
}

// signing are the problems of jobs that ask for signatures and were never accepted.
var signing = []string{"not_held", "idempotency_key_reused", string(wire.CodeUnknownKey), string(wire.CodeTooLarge),
	string(wire.CodeExpired), string(wire.CodeBadMessage), string(wire.CodeBadPath)}

var _ = resource((*Server).addSignatures)

func (s *Server) addSignatures() {
	register(s, operation{
		id: "sign", method: http.MethodPost, path: "/v1/signatures", tag: "Signatures", scopes: []Scope{Sign},
		summary: "Sign hashes or bytes", body: largeBody, status: http.StatusAccepted, also: []int{http.StatusOK},
		codes: append([]string{string(wire.CodeBadTweak)}, signing...),
		text: "One job of up to 1,000 items, all of one chain. Nodes can't read what they sign here: policies may refuse it, " +
			"and PSBTs, transactions and messages have resources of their own.",
	}, s.sign)
}

type SignInput struct {
	WaitParam
	Idempotent
	Body struct {
		Items []SignItem `json:"items" minItems:"1" maxItems:"1000"`
	}
}

type SignItem struct {
	Key        string `json:"key" minLength:"1" maxLength:"64" doc:"Id of the key"`
	Path       string `json:"path,omitempty" maxLength:"96" pattern:"^[0-9/'hH]*$" doc:"From the key to the child that signs, such as 0/17" example:"0/17"`
	Message    string `json:"message" minLength:"2" maxLength:"8192" pattern:"^([0-9a-fA-F]{2})+$" doc:"Hexadecimal. bitcoin: hash of 32 bytes; solana: 1 to 4096 bytes"`
	ScriptRoot string `json:"script_root,omitempty" pattern:"^[0-9a-fA-F]{64}$" doc:"bitcoin: Merkle root of a script tree (BIP 341). Without it the key is tweaked as BIP 86 says"`
}

func (s *Server) sign(ctx context.Context, in *SignInput) (*AnswerOutput, error) {
	items, err := s.signItems(ctx, in.Body.Items)
	if err != nil {
		return nil, err
	}
	if out, ok, err := s.signOne(ctx, in, items); ok {
		return out, err
	}
	return s.signAlone(ctx, in, items)
}

// signAlone signs items in a job of their own.
func (s *Server) signAlone(ctx context.Context, in *SignInput, items []client.SignItem) (*AnswerOutput, error) {
	job, o, err := order(ctx, s, in.IdempotencyKey, in.duration(),
		wanted{body: in.Body, kind: wire.KindSign, count: len(items)},
		func(cl *claimed) (*client.Made[client.SignResult], error) {
			return cl.client.Maker().Sign(client.SignRequest{Items: items, JobID: cl.Job, Expires: cl.Expires})
		})
	if err != nil {
		return nil, err
	}
	return answer(job, o, showSignatures), nil
}

// signItems are the items as package client takes them, with the keys that the register has:
// a signature counts only if it verifies under them.
func (s *Server) signItems(ctx context.Context, from []SignItem) ([]client.SignItem, error) {
	items, keys := make([]client.SignItem, len(from)), s.keys(ctx)
	for i, it := range from {
		k, err := keys.get(it.Key, fmt.Sprintf("body.items[%d].key", i))
		if err != nil {
			return nil, err
		}
		message, errMessage := hex.DecodeString(it.Message)
		root, errRoot := hex.DecodeString(it.ScriptRoot)
		if err := errors.Join(errMessage, errRoot); err != nil { // the schema has seen to it
			return nil, problem("validation_failed", "item %d: a field is not hexadecimal", i)
		}
		items[i] = client.SignItem{Key: it.Key, Path: it.Path, Message: message, ScriptRoot: root, PublicKey: k.PublicKey,
			ChainCode: k.ChainCode}
		if len(k.PublicKey) != len(items[0].PublicKey) {
			p := problem("validation_failed", "the items of a job are of keys of one chain")
			p.Errors = []Fault{{fmt.Sprintf("body.items[%d].key", i), "is of another chain than the first item's"}}
			return nil, p
		}
	}
	return items, nil
}

func showSignatures(a *Answer, r *client.SignResult) {
	a.Signatures = make([]Signature, len(r.Signatures))
	for i, sig := range r.Signatures {
		a.Signatures[i] = Signature{Key: sig.Key, Path: sig.Path, PublicKey: hex.EncodeToString(sig.PublicKey),
			Signature: hex.EncodeToString(sig.Signature)}
	}
}

// keyring looks up the keys that a request names, each once.
type keyring struct {
	s     *Server
	of    string
	found map[string]directory.Key
}

func (s *Server) keys(ctx context.Context) *keyring {
	return &keyring{s, s.principal(ctx).Client, map[string]directory.Key{}}
}

// get is a key of the caller's client.
func (r *keyring) get(id, place string) (directory.Key, error) {
	if k, ok := r.found[id]; ok {
		return k, nil
	}
	k, err := r.s.cfg.Directory.Key(r.of, id)
	switch {
	case errors.Is(err, directory.ErrNotFound) && r.s.cfg.Directory.Ready() != nil:
		return k, problem("not_ready", "the gateway is still reading the register").after(time.Second)
	case errors.Is(err, directory.ErrNotFound):
		p := problem(string(wire.CodeUnknownKey), "there is no such key, or it is another client's")
		p.Errors = []Fault{{place, "is unknown"}}
		return k, p
	case err != nil:
		return k, err
	}
	r.found[id] = k
	return k, nil
}

// known is one as package client takes it for what nodes read.
func (r *keyring) known(c *client.Client, id, place string) (client.Key, error) {
	k, err := r.get(id, place)
	if err != nil {
		return client.Key{}, err
	}
	return client.KnownKey(c.Manifest(), k.Chain, k.ID, k.PublicKey, k.ChainCode)
}
