package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

var _ = resource((*Server).addFreezes)

func (s *Server) addFreezes() {
	register(s, operation{
		id: "listFreezes", method: http.MethodGet, path: "/v1/freezes", tag: "Freezes", scopes: []Scope{Read},
		summary: "List what is frozen",
		text: "As this gateway knows it. A caller of one client sees what concerns it, without the reasons: they are for " +
			"administrators.",
	}, s.listFreezes)
	register(s, operation{
		id: "freeze", method: http.MethodPost, path: "/v1/freezes", tag: "Freezes", scopes: []Scope{Approve},
		status: http.StatusAccepted, summary: "Carry an administrator's word",
		codes: []string{string(wire.CodeBadSignature)},
		text: "A freeze, or a vote to lift freezes, that an administrator of the access list signed (docs/freeze.md). " +
			"It is verified, and carried to all nodes and gateways.",
	}, s.freeze)
}

// Freeze is a statement of administrators.
type Freeze struct {
	ID            string    `json:"id" pattern:"^[0-9a-f]{64}$"`
	Action        string    `json:"action" enum:"freeze,unfreeze"`
	Scope         string    `json:"scope,omitempty" enum:"fleet,client,key" doc:"Of a freeze"`
	Name          string    `json:"name,omitempty" doc:"Of the client, or the key's id"`
	Administrator string    `json:"administrator" doc:"Who said it"`
	Time          time.Time `json:"time" doc:"When, as the administrator says"`
	Reason        string    `json:"reason,omitempty" doc:"For callers of all clients alone"`
	Lifts         []string  `json:"lifts,omitempty" doc:"Of an unfreeze: ids of freezes"`
	Message       string    `json:"message,omitempty" doc:"As it is signed, hexadecimal: POST takes it again. For callers of all clients alone"`
}

func viewFreeze(l wire.FreezeLine) Freeze {
	return Freeze{ID: l.ID, Action: string(l.Action), Scope: string(l.Scope), Name: l.Name, Administrator: l.By,
		Time: l.Time.UTC(), Reason: l.Reason, Lifts: l.Lifts, Message: l.Message}
}

// FreezeList is what is frozen.
type FreezeList struct {
	Freezes []Freeze `json:"freezes" doc:"In force, the oldest first"`
}

// ListFreezesOutput is the answer.
type ListFreezesOutput struct{ Body FreezeList }

func (s *Server) listFreezes(ctx context.Context, _ *struct{}) (*ListFreezesOutput, error) {
	of := s.principal(ctx).Of()
	list := FreezeList{Freezes: []Freeze{}}
	for _, f := range s.cfg.Fleet.Frozen().All() {
		v := viewFreeze(f.Line())
		if of != "" {
			if !s.concerns(of, f) {
				continue
			}
			v.Reason, v.Message = "", "" // the thief may be who reads it
		}
		list.Freezes = append(list.Freezes, v)
	}
	return &ListFreezesOutput{list}, nil
}

// concerns reports whether a client may know of a freeze: jobs of it are refused for it.
func (s *Server) concerns(client string, f *wire.Freeze) bool {
	switch f.Scope {
	case wire.FreezeFleet:
		return true
	case wire.FreezeClient:
		return f.Name == client
	}
	_, err := s.cfg.Directory.Key(client, f.Name)
	return err == nil
}

// FreezeInput is an administrator's word, in one of two forms.
type FreezeInput struct {
	Body struct {
		Administrator string `json:"administrator" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"As the access list names it"`
		Message       string `json:"message,omitempty" maxLength:"8192" pattern:"^([0-9a-f]{2})+$" doc:"Hexadecimal, as frostctl freeze --print and frostctl freezes --json print it"`
		Statement     string `json:"statement,omitempty" maxLength:"8192" pattern:"^([0-9a-f]{2})+$" doc:"Instead, with signature: as a file of frostctl unfreeze --out has it"`
		Signature     string `json:"signature,omitempty" pattern:"^[0-9a-f]{128}$"`
	}
}

// FreezeOutput is what was carried.
type FreezeOutput struct{ Body Freeze }

func (s *Server) freeze(ctx context.Context, in *FreezeInput) (*FreezeOutput, error) {
	b := in.Body
	if (b.Message == "") == (b.Statement == "") || (b.Statement == "") != (b.Signature == "") {
		return nil, problem("bad_request", "send a message, or a statement and its signature")
	}
	// Their patterns allow nothing but hexadecimal.
	message, _ := hex.DecodeString(b.Message)
	if b.Statement != "" {
		statement, _ := hex.DecodeString(b.Statement)
		signature, _ := hex.DecodeString(b.Signature)
		message = wire.FreezeMessage(statement, signature)
	}
	f, err := wire.OpenFreeze(s.cfg.Manifest, s.cfg.Access(), wire.ControlSubject(b.Administrator), message)
	if err != nil {
		return nil, problem(string(wire.CodeBadSignature), "it is no word of that administrator: %v", err)
	}
	if err := s.cfg.Carrier.Freeze(ctx, b.Administrator, message); err != nil {
		return nil, s.fail(ctx, err)
	}
	v := viewFreeze(wire.LineOf(f.ID, f.By, &f.FreezeStatement))
	return &FreezeOutput{v}, nil
}
