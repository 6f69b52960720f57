package launch

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/console"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/httpapi"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/recent"
	"github.com/frostfleet/frostfleet/internal/reload"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// httpPart is a gateway's HTTP API.
type httpPart struct {
	p       *program
	g       *config.Gateway
	gw      *gateway.Gateway
	callers *httpapi.Callers
	tls     *httpapi.TLS // nil: none
	clients map[string]*client.Client
}

// serveHTTP starts the HTTP API of a gateway whose file asks for one, and returns what it takes
// anew when files change. serves opens once it answers.
func (p *program) serveHTTP(ctx context.Context, g *config.Gateway, gw *gateway.Gateway, log *audit.Writer, memory *recent.Ring,
	known *directory.Directory, serves *gate) ([]reload.Thing, error) {
	if !g.HTTPOn() {
		return nil, nil
	}
	h := &httpPart{p: p, g: g, gw: gw, callers: httpapi.NewCallers(callersOf(&g.HTTP)), clients: map[string]*client.Client{}}
	if err := h.openTLS(); err != nil {
		return nil, err
	}
	public, err := client.LoadManifest(g.Gateway.Manifest)
	if err != nil {
		return nil, err
	}
	if err := h.openClients(ctx, public); err != nil {
		return nil, err
	}
	hooks, err := LoadWebhooks(&g.HTTP)
	if err != nil {
		return nil, err
	}
	api := httpapi.New(httpapi.Config{
		Name: p.name, Manifest: p.manifest, Public: public, Access: gw.Access, Directory: known, Fleet: gw, Clients: h.clients,
		Carrier: &carrier{p.conn, p.name}, Callers: h.callers, Recent: memory.Look, Audit: log, Observe: p.metrics.HTTP(),
		Log: p.Log, Version: command.Version(), Now: time.Now,
		Console: console.Handler(), Hosts: g.HTTP.Hosts, Plaintext: h.tls == nil,
	})
	listener, err := httpapi.Listen(g.HTTP.Host, g.HTTP.Port, api, h.tls, p.Log)
	if err != nil {
		return nil, err
	}
	p.Log.Info("HTTP API", "url", listener.URL())
	serves.open(known.Ready)
	h.atEnd(ctx, listener)
	if p.Serves != nil {
		p.Serves(listener.URL())
	}
	return append(h.things(), h.startWebhooks(ctx, known, hooks)...), nil
}

// atEnd has the listener drain once ctx ends, beside the gateway's own end, or when the program
// stops, and has the program wait for it.
func (h *httpPart) atEnd(ctx context.Context, l *httpapi.Listener) {
	drain := sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), h.g.HTTP.Drain.Duration)
		defer cancel()
		if err := l.Shutdown(ctx); err != nil {
			h.p.Log.Warn("HTTP API", "err", err)
		}
	})
	context.AfterFunc(ctx, drain)
	h.p.ends = append(h.p.ends, drain)
}

// openTLS reads what the listener shows, and whom it believes.
func (h *httpPart) openTLS() (err error) {
	if h.g.HTTP.TLSCert == "" {
		return nil
	}
	var texts [][]byte
	for _, f := range h.tlsFiles() {
		text, err := f.Text()
		if err != nil {
			return err
		}
		defer text.Wipe()
		texts = append(texts, text.Expose())
	}
	h.tls, err = httpapi.NewTLS(texts[0], texts[1], third(texts))
	return err
}

func third(texts [][]byte) []byte {
	if len(texts) < 3 {
		return nil
	}
	return texts[2]
}

// maxPEM is far above any real file, in bytes.
const maxPEM = 1 << 20

// tlsFiles are certificate, key and perhaps the clients' authority.
func (h *httpPart) tlsFiles() []secret.File {
	files := []secret.File{
		{What: "http.tls_cert", Path: h.g.HTTP.TLSCert, Max: maxPEM, Public: true},
		{What: "http.tls_key", Path: h.g.HTTP.TLSKey, Max: maxPEM},
	}
	if h.g.HTTP.ClientCA != "" {
		files = append(files, secret.File{What: "http.client_ca", Path: h.g.HTTP.ClientCA, Max: maxPEM, Public: true})
	}
	return files
}

// openClients connects those whose keys this gateway holds, as the gateway is for NATS.
func (h *httpPart) openClients(ctx context.Context, public *client.Manifest) error {
	g := h.g
	list, err := config.LoadAccess(g.Gateway.Access)
	if err != nil {
		return err
	}
	base := client.Config{
		Manifest: public, Gateways: map[string]ed25519.PublicKey{}, SecondKeys: map[string]ed25519.PublicKey{},
		AccessFile: g.Gateway.Access, Logger: h.p.Log, TracerProvider: h.p.tracer.Provider(),
		CollectFor: httpapi.CollectFor,
		URL:        g.Bus.URL, Credentials: g.Bus.Credentials, TLSCA: g.Bus.TLSCA, TLSCert: g.Bus.TLSCert, TLSKey: g.Bus.TLSKey,
	}
	for _, one := range list.Gateways {
		all := one.All()
		if h.p.access.CheckGateway(one.Name, ed25519.PublicKey(all[0])) != nil { // revoked
			continue
		}
		base.Gateways[one.Name] = ed25519.PublicKey(all[0])
		if len(all) > 1 {
			base.SecondKeys[one.Name] = ed25519.PublicKey(all[1])
		}
	}
	if h.p.Embedded != nil && len(g.HTTP.Clients) > 0 {
		conn, err := natsconn.Connect(ctx, natsconn.Options{
			Embedded: h.p.Embedded, Name: "frostfleet HTTP " + h.p.name, AckTimeout: ackTimeout, Log: h.p.Log,
		})
		if err != nil {
			return err
		}
		h.p.ends = append(h.p.ends, conn.Close)
		base.Conn = conn.Conn
	}
	for _, held := range g.HTTP.Clients {
		if err := h.openClient(ctx, base, held); err != nil {
			return err
		}
	}
	return nil
}

// ackTimeout is for one request to the embedded server.
const ackTimeout = 5 * time.Second

func (h *httpPart) openClient(ctx context.Context, base client.Config, held config.HTTPClient) error {
	key, err := config.LoadKey(held.KeyFile)
	if err != nil {
		return err
	}
	if !h.p.access.IsClient(held.Name, key.Public().(ed25519.PublicKey)) {
		return fmt.Errorf("[[http.client]] %s: the access list %s has no such client, or has it with another key than %s",
			held.Name, h.g.Gateway.Access, held.KeyFile)
	}
	base.Name, base.Key = held.Name, key
	c, err := client.New(ctx, base)
	if err != nil {
		return fmt.Errorf("[[http.client]] %s: %w", held.Name, err)
	}
	h.p.ends = append(h.p.ends, c.Close)
	h.clients[held.Name] = c
	return nil
}

// openDirectory opens the projection of keys and jobs of a gateway with an HTTP API, and runs it
// until the program stops; nil without one. running is the gateway, once there is one.
func (p *program) openDirectory(ctx context.Context, g *config.Gateway, log *audit.Writer,
	running func() *gateway.Gateway) (*directory.Directory, error) {
	if !g.HTTPOn() {
		return nil, nil
	}
	d, err := directory.Open(ctx, directory.Config{
		Path: g.HTTP.Directory, Bus: p.conn, Manifest: p.manifest, Audit: log, Log: p.Log,
		Known:  func() wire.ManifestSet { return running().Lineage() },
		Access: func() *wire.Access { return running().Access() },
	})
	if err != nil {
		return nil, fmt.Errorf("[http] directory: %w", err)
	}
	p.ends = append(p.ends, func() {
		if err := d.Close(); err != nil {
			p.Log.Warn("directory", "err", err)
		}
	})
	return d, nil
}

// runDirectory runs it until the program stops: longer than the gateway, which gives it what it
// verifies.
func (p *program) runDirectory(d *directory.Directory) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("the directory reads no further", "err", err)
		}
	})
	p.ends = append(p.ends, func() { cancel(); running.Wait() })
	for _, g := range []struct {
		name, help string
		read       func(directory.Stats) float64
	}{
		{"directory_keys", "Keys in the directory that HTTP answers come from.",
			func(s directory.Stats) float64 { return float64(s.Keys) }},
		{"directory_jobs", "Jobs in the directory.", func(s directory.Stats) float64 { return float64(s.Jobs) }},
		{"directory_file_bytes", "Size of the directory's file.", func(s directory.Stats) float64 { return float64(s.Bytes) }},
		{"directory_waiting_messages", "Messages that were read and are not in the directory's file yet.",
			func(s directory.Stats) float64 { return float64(s.Waiting) }},
		{"directory_unindexed_batches", "Batches whose addresses can't be looked up yet.",
			func(s directory.Stats) float64 { return float64(s.Unindexed) }},
	} {
		telemetry.Gauge(p.registry, g.name, g.help, func() float64 { return g.read(d.Stats()) })
	}
}

// callersOf are the callers of a section.
func callersOf(h *config.HTTP) (all []httpapi.Caller) {
	of := func(c config.HTTPCaller) httpapi.Caller {
		caller := httpapi.Caller{Name: c.Name, Client: c.Client, Rate: c.Rate}
		for _, scope := range c.Scopes {
			caller.Scopes = append(caller.Scopes, httpapi.Scope(scope))
		}
		return caller
	}
	for _, t := range h.Tokens {
		caller := of(t.HTTPCaller)
		caller.SHA256, caller.Expires = t.SHA256, t.Expires
		all = append(all, caller)
	}
	for _, c := range h.Certificates {
		caller := of(c.HTTPCaller)
		caller.Cert = c.SHA256
		all = append(all, caller)
	}
	return all
}

// things are what counts at once when files change: who may call, and the TLS files.
func (h *httpPart) things() []reload.Thing {
	current := callersOf(&h.g.HTTP)
	var all []reload.Thing
	if !h.g.HTTPGiven() {
		all = append(all, h.callersFile(current))
	}
	if h.tls == nil {
		return all
	}
	var before [32]byte // as it was read at the start
	return append(all, reload.Thing{
		Name: "http_tls", Files: h.tlsFiles(),
		Take: func(texts [][]byte) (t reload.Taken, err error) {
			if err := h.tls.Set(texts[0], texts[1], third(texts)); err != nil {
				return t, err
			}
			now := hashTexts(texts)
			if before != [32]byte{} && now != before {
				t.Changed = []string{"new connections get the new certificate"}
			}
			before = now
			return t, nil
		},
	})
}

// callersFile is the gateway's own file, for those who may call.
func (h *httpPart) callersFile(current []httpapi.Caller) reload.Thing {
	return reload.Thing{
		Name: "http", Files: []secret.File{h.g.File()},
		Take: func(texts [][]byte) (t reload.Taken, err error) {
			next, err := config.GatewayOf(h.g.Path(), texts[0])
			if err != nil {
				return t, err
			}
			if !next.HTTPOn() {
				return t, errors.New("the section [http] is gone: a restart ends the HTTP API")
			}
			callers := callersOf(&next.HTTP)
			t.Changed, t.Grave = callerChanges(current, callers)
			if len(t.Changed) > 0 {
				h.callers.Set(callers)
				current = callers
			}
			return t, nil
		},
	}
}

// callerChanges says whom a list has that another did not, and the other way round, by name.
func callerChanges(before, after []httpapi.Caller) (changes []string, takesAway bool) {
	form := func(c httpapi.Caller) string { return fmt.Sprintf("%+v", c) }
	find := func(all []httpapi.Caller, name string) *httpapi.Caller {
		if i := slices.IndexFunc(all, func(c httpapi.Caller) bool { return c.Name == name }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	for _, c := range after {
		switch old := find(before, c.Name); {
		case old == nil:
			changes = append(changes, "caller "+c.Name+" is new")
		case form(*old) != form(c):
			changes, takesAway = append(changes, "caller "+c.Name+" has changed"), true
		}
	}
	for _, c := range before {
		if find(after, c.Name) == nil {
			changes, takesAway = append(changes, "caller "+c.Name+" is gone"), true
		}
	}
	return changes, takesAway
}

// hashTexts tells the files' contents apart; the zero value is none.
func hashTexts(texts [][]byte) (sum [32]byte) {
	h := sha256.New()
	for _, text := range texts {
		one := sha256.Sum256(text)
		h.Write(one[:])
	}
	h.Sum(sum[:0])
	return sum
}
