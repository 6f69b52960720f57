package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"
)

// Everybody is the Client of callers that read and approve for all clients.
const Everybody = "*"

// Callers are those who may call, found by the SHA-256 of what they show. A map will do: how
// long a look-up takes may tell something of the stored hashes that begin as the shown one's
// does, but whoever asks can't choose the hash of what he shows without finding preimages, and
// a token is 32 random bytes.
type Callers struct {
	all atomic.Pointer[callers]
}

// callers are two tables, so that neither a token stands for a certificate nor the other way round.
type callers struct{ tokens, certificates map[[32]byte]*Principal }

// of is the table that a caller belongs to, and its place there.
func (c *callers) of(caller *Caller) (map[[32]byte]*Principal, [32]byte) {
	if caller.Cert != [32]byte{} {
		return c.certificates, caller.Cert
	}
	return c.tokens, caller.SHA256
}

func noCallers() *callers { return &callers{map[[32]byte]*Principal{}, map[[32]byte]*Principal{}} }

// Principal is the caller of one request.
type Principal struct {
	Caller
	limit *rate.Limiter // nil: none
	share *share
}

// share is what a caller has of what all share.
type share struct{ flying, bodies meter }

// meter counts what is in use.
type meter struct{ used atomic.Int64 }

// take is false, and takes nothing, where that would be more than most.
func (m *meter) take(n, most int64) bool {
	if m.used.Add(n) > most {
		m.used.Add(-n)
		return false
	}
	return true
}

func (m *meter) give(n int64) { m.used.Add(-n) }

// NewCallers makes the callers of a configuration.
func NewCallers(all []Caller) *Callers {
	c := &Callers{}
	c.all.Store(noCallers())
	c.Set(all)
	return c
}

// Set replaces the callers. Whoever stays with the same rate keeps what is used of it.
func (c *Callers) Set(all []Caller) {
	before, next := c.all.Load(), noCallers()
	for _, caller := range all {
		p := &Principal{Caller: caller, share: &share{}}
		if caller.Rate > 0 {
			p.limit = rate.NewLimiter(rate.Limit(caller.Rate), int(math.Ceil(caller.Rate)))
		}
		was, key := before.of(&caller)
		if old := was[key]; old != nil {
			p.share = old.share
			if old.Rate == caller.Rate {
				p.limit = old.limit
			}
		}
		table, _ := next.of(&caller)
		table[key] = p
	}
	c.all.Store(next)
}

// maxToken bounds what is hashed of a header.
const maxToken = 512

// identify finds whose request it is: a bearer token's (RFC 6750, section 2.1, the header
// alone), or where there is none, a verified client certificate's.
func (c *Callers) identify(r *http.Request, now time.Time) (*Principal, *Problem) {
	var p *Principal
	headers := r.Header.Values("Authorization")
	switch {
	case len(headers) > 1:
		return nil, problem("unauthorized", "the request has two Authorization headers")
	case len(headers) == 1:
		scheme, token, _ := strings.Cut(headers[0], " ")
		if !strings.EqualFold(scheme, "bearer") || token == "" || len(token) > maxToken {
			return nil, problem("unauthorized", "the header Authorization is to be: Bearer TOKEN")
		}
		p = c.all.Load().tokens[sha256.Sum256([]byte(token))]
	default:
		leaf := certificate(r)
		if leaf == nil {
			return nil, problem("unauthorized", "send a token in the header Authorization: Bearer TOKEN")
		}
		if now.After(leaf.NotAfter) { // TLS has looked at the beginning of the connection
			return nil, problem("unauthorized", "the certificate has expired")
		}
		p = c.all.Load().certificates[sha256.Sum256(leaf.Raw)]
	}
	if p == nil {
		return nil, problem("unauthorized", "this gateway knows no such token or certificate")
	}
	if !p.Expires.IsZero() && !now.Before(p.Expires) {
		return nil, problem("unauthorized", "the token has expired")
	}
	return p, nil
}

// still reports whether a caller may go on with what its request began: what takes long asks
// that now and then.
func (c *Callers) still(p *Principal, scope Scope, now time.Time) bool {
	table, key := c.all.Load().of(&p.Caller)
	current := table[key]
	return current != nil && current.Client == p.Client && current.Can(scope) &&
		(current.Expires.IsZero() || now.Before(current.Expires))
}

// certificate is the client's, which TLS has verified against client_ca.
func certificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	return r.TLS.VerifiedChains[0][0]
}

// Can reports whether the caller has one of the scopes.
func (p *Principal) Can(scopes ...Scope) bool {
	return slices.ContainsFunc(scopes, func(s Scope) bool { return slices.Contains(p.Scopes, s) })
}

// Of is the client whose keys and jobs the caller sees; "" for all of them, as the directory
// takes it.
func (p *Principal) Of() string {
	if p.Client == Everybody {
		return ""
	}
	return p.Client
}

// allow takes one request of the caller's rate.
func (p *Principal) allow(now time.Time) *Problem {
	if p.limit == nil {
		return nil
	}
	r := p.limit.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return problem("rate_limited", "this token or certificate may send %g requests a second", p.Rate).after(wait)
	}
	return nil
}

// authorise wants a caller with one of the scopes, within its rate.
func (s *Server) authorise(scopes []Scope) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humagoUnwrap(ctx)
		now := s.cfg.Now()
		p, refusal := s.cfg.Callers.identify(r, now)
		if refusal != nil {
			s.refused("unauthorized")
			refuse(ctx, refusal)
			return
		}
		requestOf(ctx.Context()).caller = p
		if refusal := p.allow(now); refusal != nil {
			s.refused("rate_limited")
			refuse(ctx, refusal)
			return
		}
		if !p.Can(scopes...) {
			refuse(ctx, problem("forbidden_scope", "it lacks the scope that this needs"))
			return
		}
		if !p.share.flying.take(1, maxOfCaller) {
			s.refused("busy")
			refuse(ctx, problem("busy", "this token or certificate has %d requests under way", maxOfCaller).after(time.Second))
			return
		}
		defer p.share.flying.give(1)
		next(ctx)
	}
}

// principal is the caller of a handler's request.
func (s *Server) principal(ctx context.Context) *Principal { return requestOf(ctx).caller }
