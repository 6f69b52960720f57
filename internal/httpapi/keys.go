package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Key is a key as answers have it.
type Key struct {
	ID         string            `json:"id" doc:"Names the key in requests for signatures"`
	Client     string            `json:"client" doc:"Whose it is"`
	Chain      string            `json:"chain" enum:"bitcoin,solana"`
	PublicKey  string            `json:"public_key" pattern:"^([0-9a-f]{66}|[0-9a-f]{64})$" doc:"Hexadecimal. bitcoin: internal key (BIP 341), 33 bytes compressed; solana: 32 bytes"`
	ChainCode  string            `json:"chain_code" pattern:"^[0-9a-f]{64}$" doc:"Hexadecimal, 32 bytes, public: with public_key the root of the key's children"`
	Address    string            `json:"address" doc:"On the fleet's network"`
	Descriptor string            `json:"descriptor,omitempty" doc:"bitcoin: output descriptor (BIP 389) of the addresses 0/* and 1/*"`
	XPub       string            `json:"xpub,omitempty" doc:"bitcoin: extended public key (BIP 32)"`
	Job        string            `json:"job" doc:"That asked for it"`
	Generation int               `json:"generation" minimum:"0" doc:"How often its shares were dealt anew"`
	Created    time.Time         `json:"created"`
	Label      string            `json:"label"`
	Metadata   map[string]string `json:"metadata"`
}

// view makes the answer's form of a key. What the fleet certified is well formed.
func (s *Server) view(k *directory.Key) Key {
	v := Key{
		ID: k.ID, Client: k.Client, Chain: k.Chain, PublicKey: hex.EncodeToString(k.PublicKey),
		ChainCode: hex.EncodeToString(k.ChainCode), Address: k.Address, Job: k.Job, Generation: int(k.Generation),
		Created: k.Created.UTC(), Label: k.Label, Metadata: k.Metadata,
	}
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	if k.Chain != wire.Bitcoin || len(k.PublicKey) != 33 || len(k.ChainCode) != 32 {
		return v
	}
	if version, err := chain.ExtendedKeyVersion(s.cfg.Manifest.Network); err == nil {
		d := descriptor.Descriptor{Root: descriptor.FingerprintOf(k.PublicKey), Key: descriptor.ExtendedKey{
			Version: version, ChainCode: [32]byte(k.ChainCode), PublicKey: [33]byte(k.PublicKey)}}
		v.Descriptor, v.XPub = d.String(), d.Key.String()
	}
	return v
}

var _ = resource((*Server).addKeys)

func (s *Server) addKeys() {
	register(s, operation{
		id: "listKeys", method: http.MethodGet, path: "/v1/keys", tag: "Keys", scopes: []Scope{Read},
		summary: "List keys", codes: []string{"bad_cursor"},
		text: "A page of the keys that the parameters choose, oldest first. The next page is at the header Link, and with " +
			"cursor=next_cursor.",
	}, s.listKeys)
	register(s, operation{
		id: "getKey", method: http.MethodGet, path: "/v1/keys/{id}", tag: "Keys", scopes: []Scope{Read},
		summary: "Show a key",
	}, s.getKey)
}

// KeyFilter chooses keys.
type KeyFilter struct {
	Chain string    `query:"chain" enum:"bitcoin,solana"`
	Job   string    `query:"job" minLength:"1" maxLength:"64" doc:"Id of the job that asked for them"`
	Label string    `query:"label" minLength:"1" maxLength:"128" doc:"Exactly"`
	Text  string    `query:"text" minLength:"1" maxLength:"128" doc:"Part of a label, in either case"`
	Since time.Time `query:"since" doc:"Created then or later"`
	Until time.Time `query:"until" doc:"Created before"`
}

func (f *KeyFilter) query(p *Principal) directory.KeyQuery {
	return directory.KeyQuery{Client: p.Of(), Chain: f.Chain, Job: f.Job, Label: f.Label, Text: f.Text, Since: f.Since,
		Until: f.Until}
}

// PageParams are those of lists.
type PageParams struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" minLength:"1" maxLength:"512" doc:"next_cursor of the page before"`
}

type ListKeysInput struct {
	KeyFilter
	PageParams
}

type KeyPage struct {
	Keys []Key  `json:"keys"`
	Next string `json:"next_cursor,omitempty" doc:"Missing on the last page"`
}

type ListKeysOutput struct {
	Link string `header:"Link" doc:"rel=next (RFC 8288), missing on the last page"`
	Body KeyPage
}

func (s *Server) listKeys(ctx context.Context, in *ListKeysInput) (*ListKeysOutput, error) {
	q := in.query(s.principal(ctx))
	q.Limit, q.After = in.Limit, in.Cursor
	page, err := s.cfg.Directory.Keys(q)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &ListKeysOutput{Body: KeyPage{Keys: make([]Key, len(page.Keys)), Next: page.Next}}
	for i := range page.Keys {
		out.Body.Keys[i] = s.view(&page.Keys[i])
	}
	out.Link = nextLink(ctx, page.Next)
	return out, nil
}

// nextLink is the header of a list that goes on, with the parameters of this page's request.
func nextLink(ctx context.Context, cursor string) string {
	r := requestOf(ctx)
	if cursor == "" || r.url == nil {
		return ""
	}
	values := r.url.Query()
	values.Set("cursor", cursor)
	next := url.URL{Path: r.url.Path, RawQuery: values.Encode()}
	return "<" + next.String() + `>; rel="next"`
}

// KeyID is the path's.
type KeyID struct {
	ID string `path:"id" minLength:"1" maxLength:"64" doc:"Of the key"`
}

type KeyOutput struct{ Body Key }

func (s *Server) getKey(ctx context.Context, in *KeyID) (*KeyOutput, error) {
	k, err := s.cfg.Directory.Key(s.principal(ctx).Of(), in.ID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &KeyOutput{s.view(&k)}, nil
}
