package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

var _ = resource((*Server).addMessages)

func (s *Server) addMessages() {
	register(s, operation{
		id: "signMessage", method: http.MethodPost, path: "/v1/messages", tag: "Signatures", scopes: []Scope{Sign},
		summary: "Sign a text", body: smallBody << 1, status: http.StatusAccepted, also: []int{http.StatusOK}, codes: unreadable,
		text: "With a bitcoin key as BIP 322 has it, the simple form of its Taproot address; with a solana key that of an " +
			"off-chain message.",
	}, s.signMessage)
}

type MessageInput struct {
	WaitParam
	Idempotent
	Body struct {
		Signer
		Text string `json:"text" minLength:"1" maxLength:"4096" doc:"UTF-8, 1 to 4096 bytes"`
		Approvable
	}
}

func (s *Server) signMessage(ctx context.Context, in *MessageInput) (*AnswerOutput, error) {
	b := &in.Body
	return s.signRead(ctx, in.IdempotencyKey, in.duration(), b.Approvable,
		wanted{body: in.Body, kind: wire.KindSign, count: 1},
		func(cl *claimed, keys *keyring, wait client.Wait, expires time.Time) (*client.Made[client.Signed], error) {
			k, err := keys.known(cl.client, b.Key, "body.key")
			if err != nil {
				return nil, err
			}
			return cl.client.Maker().Message(client.SignMessageRequest{Signer: client.Signer{Key: k, Path: b.Path}, Text: b.Text,
				JobID: cl.Job, Expires: expires, Wait: wait})
		},
		func(a *Answer, r *client.Signed) { a.MessageSignature = r.MessageSignature })
}
