package launch

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// signedWith reports whether a message is signed with a secret, as Standard Webhooks has it.
func signedWith(r *http.Request, body []byte, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp"), body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return strings.Contains(" "+r.Header.Get("Webhook-Signature")+" ", " "+want+" ")
}

// TestWebhooks: a gateway tells a receiver of its file of a job, with what GET /v1/jobs/{id}
// answers; another secret counts without a restart, and one that can't be read changes nothing.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	dir, o := newFleet(t, 2)
	applyStreams(t, o)
	type told struct {
		r    *http.Request
		body []byte
	}
	messages := make(chan told, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		messages <- told{r, body}
	}))
	t.Cleanup(receiver.Close)
	first, second := strings.Repeat("1", 32), strings.Repeat("2", 32)
	line := func(secret string) string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret)) + "\n" }
	path := filepath.Join(dir, fleet.GatewayFile)
	file := write(t, filepath.Join(filepath.Dir(path), "hook.secret"), line(first), 0o600)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, fmt.Sprintf("%s\n[http]\nport = %d\n[[http.token]]\nname = \"t\"\nsha256 = %q\nclient = \"*\"\n"+
		"scopes = [\"read\"]\n[[http.webhook]]\nname = \"shop\"\nclient = \"client0\"\nurl = %q\nsecret_file = \"hook.secret\"\n",
		text, freeport.New(t), hex.EncodeToString(sum("ff_t")), receiver.URL), 0o600)
	g := loadGateway(t, dir)
	serves, reload := make(chan string, 1), make(chan os.Signal)
	o.Serves, o.Reload = func(url string) { serves <- url }, reload
	ctx, cancel := context.WithCancel(t.Context())
	ended, gone := make(chan error, 1), make(chan struct{})
	go func() { defer close(gone); ended <- Gateway(ctx, g, o) }()
	t.Cleanup(func() { cancel(); <-gone })
	url := ""
	select {
	case url = <-serves:
	case err := <-ended:
		t.Fatal(err)
	}

	conn, err := bus.Connect(t.Context(), bus.Options{Fleet: "test", Name: "admin", Embedded: o.Embedded})
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(conn, o.Log)
	waitForTurn(t, conn, ended)
	m, err := g.LoadManifest()
	key, errKey := config.LoadKey(g.Gateway.KeyFile)
	if err != nil || errKey != nil {
		t.Fatal(err, errKey)
	}
	tell := func(n int) (message told, id string) {
		t.Helper()
		r := wire.Result{Job: fmt.Sprintf("0198c0de-7a10-7cc3-98c4-dc0c0c07%04d", n), Client: "client0", Kind: wire.KindSign,
			Status: wire.StatusDenied, Code: wire.CodePolicyDenied, Error: "rule 1", Fleet: m.Fleet, Network: m.Network}
		payload := r.Encode()
		signature := ed25519.Sign(key, wire.ResultSigningInput(m, r.Client, r.Job, payload))
		if _, err := conn.Publish(t.Context(), wire.StoredResultSubject(r.Client, r.Job), payload, map[string][]string{
			wire.HeaderGateway: {g.Gateway.Name}, wire.HeaderSignature: {hex.EncodeToString(signature)}}); err != nil {
			t.Fatal(err)
		}
		return <-messages, r.Job
	}
	message, id := tell(1)
	if !signedWith(message.r, message.body, first) {
		t.Errorf("headers %v", message.r.Header)
	}
	var is struct {
		Type string
		Data json.RawMessage
	}
	if err := json.Unmarshal(message.body, &is); err != nil || is.Type != "job.denied" {
		t.Errorf("%s: %v", message.body, err)
	}
	if want := strings.TrimSpace(getJob(t, url, id)); string(is.Data) != want {
		t.Errorf("told %s\nand GET says %s", is.Data, want)
	}

	write(t, file, "nonsense", 0o600)
	reload <- os.Interrupt
	if message, _ = tell(2); !signedWith(message.r, message.body, first) {
		t.Error("a secret that can't be read changed something")
	}
	write(t, file, line(second)+line(first), 0o600)
	reload <- os.Interrupt
	reload <- os.Interrupt // the first one is dealt with
	if message, _ = tell(3); !signedWith(message.r, message.body, second) || !signedWith(message.r, message.body, first) {
		t.Errorf("while a secret is replaced: headers %v", message.r.Header)
	}
}

func sum(text string) []byte { s := sha256.Sum256([]byte(text)); return s[:] }

// waitForTurn waits until a gateway delivers for a webhook: it is told of what comes after.
func waitForTurn(t *testing.T, conn *bus.Bus, ended <-chan error) {
	t.Helper()
	for {
		_, found, err := conn.LastAtLeader(t.Context(), bus.Webhooks, wire.WebhookSubject("shop"))
		if err != nil {
			t.Fatal(err)
		}
		if found {
			return
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func getJob(t *testing.T, url, id string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/jobs/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ff_t")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s %v", answer.Status, body, err)
	}
	return string(body)
}
