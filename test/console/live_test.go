package console_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"image/png"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/test/freeport"
)

var update = flag.Bool("update", false, "write docs/console.png anew")

// root is the module's folder.
const root = "../.."

// rules are of the fleet that the console is shown: payments need carol's agreement above an
// amount, messages nobody's.
const rules = `version = 1
[[rule]]
name = "payments"
clients = ["client0"]
keys = ["*"]
kinds = ["psbt", "bitcoin_message"]
max_fee = ["0.0002 BTC"]
[rule.approvals]
require = 1
from = ["carol"]
above = ["0.0005 BTC"]
`

// live is a fleet of frostctl dev --http.
type live struct {
	*testing.T
	frostctl, dir, base, token string
	carol                      string // her key file
}

// startFleet makes a fleet and runs it until the test ends, as a person would: with frostctl.
func startFleet(t *testing.T) *live {
	t.Helper()
	f := &live{T: t, frostctl: filepath.Join(t.TempDir(), "frostctl"), dir: filepath.Join(t.TempDir(), "fleet")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", f.frostctl, "./cmd/frostctl")
	build.Dir = root
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	f.exec("fleet", "init", f.dir, "--name", "dev", "--network", "regtest", "--bus-port", fmt.Sprint(freeport.New(t)),
		"--server-port", "0")
	f.carol = filepath.Join(f.dir, "carol.key")
	carol := f.exec("fleet", "key", f.carol, "--approver", "carol")
	for node := range 3 {
		folder := filepath.Join(f.dir, fmt.Sprint("node", node))
		write(t, filepath.Join(folder, "policy.toml"), rules+carol)
		file := filepath.Join(folder, "node.toml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, strings.Replace(string(text), "[node]\n", "[node]\npolicy = \"policy.toml\"\n", 1))
	}
	f.run()
	token, err := os.ReadFile(filepath.Join(f.dir, "http.token"))
	if err != nil {
		t.Fatal(err)
	}
	f.token = strings.TrimSpace(string(token))
	return f
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// exec runs frostctl and returns what it prints.
func (f *live) exec(args ...string) string {
	f.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(f.Context(), f.frostctl, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		f.Fatalf("frostctl %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

// run starts frostctl dev, whose last line on standard output is where its HTTP API is.
func (f *live) run() {
	f.Helper()
	var errs bytes.Buffer
	cmd := exec.Command(f.frostctl, "dev", f.dir, "--http")
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil || f.Failed() {
			f.Errorf("frostctl dev: %v\n%s", err, errs.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://") {
			f.base = lines.Text()
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	f.Fatalf("frostctl dev ended, and said\n%s", errs.String())
}

// post asks the API for something, and reads its answer into one.
func post[V any](f *live, path string, body object) (answer V) {
	f.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		f.Fatal(err)
	}
	r, err := http.NewRequestWithContext(f.Context(), http.MethodPost, f.base+path, bytes.NewReader(text))
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+f.token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 || json.Unmarshal(said, &answer) != nil {
		f.Fatalf("%s: %s %v\n%s", path, response.Status, err, said)
	}
	return answer
}

type madeKey struct {
	ID, Address string
	PublicKey   string `json:"public_key"`
	ChainCode   string `json:"chain_code"`
}

func (f *live) keygen(chain string, count int, label string) []madeKey {
	f.Helper()
	made := post[struct {
		Job  string
		Keys []madeKey
	}](f, "/v1/keys?wait=60s", object{"chain": chain, "count": count, "label": label})
	if len(made.Keys) != count {
		f.Fatalf("%d keys, want %d", len(made.Keys), count)
	}
	return made.Keys
}

// pay asks for a payment out of a key, which waits for approval where it is a large one.
func (f *live) pay(k madeKey, amount, fee int64) (job string) {
	f.Helper()
	public, errKey := hex.DecodeString(k.PublicKey)
	code, errCode := hex.DecodeString(k.ChainCode)
	if errKey != nil || errCode != nil || len(code) != 32 {
		f.Fatalf("key %+v", k)
	}
	r := derive.Key{Suite: frost.Secp256k1TR, PublicKey: public, ChainCode: [32]byte(code)}
	raw, err := draft.NewPSBT().Spend(r, derive.Path{0, 0}, 600_000).Pay(draft.Payee(), amount).
		Change(r, derive.Path{1, 0}, 600_000-amount-fee).Bytes()
	if err != nil {
		f.Fatal(err)
	}
	return post[struct{ Job string }](f, "/v1/psbt", object{"psbt": base64.StdEncoding.EncodeToString(raw),
		"keys": []string{k.ID}, "finalize": true, "approve_within": "24h"}).Job
}

// TestFleet is an operator's morning, at a fleet of frostctl dev --http: nodes, a job, a key that
// is found and gets a label, a payment that is read, approved with a key file, and watched until
// it is signed.
func TestFleet(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	b := open(t, f.base, wide, high)
	b.enter(f.token)
	b.sees("3 of 3 nodes are here, 2 sign")
	b.until(`document.querySelector('.verdict').innerText.includes('✓ Ready')`)
	b.sees("worker-2")
	b.sees("regtest")

	keys := f.keygen("bitcoin", 20, "hot wallet")
	f.keygen("solana", 5, "")
	for i := range 8 {
		post[object](f, "/v1/messages?wait=60s", object{"key": keys[i].ID, "text": fmt.Sprint("invoice ", i)})
	}
	denied, job := f.pay(keys[1], 20_000, 30_000), f.pay(keys[0], 250_000, 1_000)

	b.follow("Jobs")
	b.arrives("Jobs")
	b.sees("✕ denied")
	b.follow(ends(denied))
	b.arrives("Job " + denied)
	b.sees("policy_denied")
	b.sees("payments") // the rule

	b.follow("Keys")
	b.arrives("Keys")
	b.types("#key-search", keys[3].Address+"\r")
	b.follow(keys[3].ID)
	b.arrives("Key " + keys[3].ID)
	b.sees("]tpub")
	b.types("#label", "Müller & Söhne <b>")
	b.follow("Save")
	b.sees("✓ Saved")
	b.follow("Addresses of its children")
	b.sees("0/19")
	b.follow("Keys")
	b.arrives("Keys")
	b.types("#key-search", "müller\r")
	b.until(`document.querySelectorAll('tbody tr').length === 1`)
	b.sees("Müller & Söhne <b>")

	b.follow("Approvals")
	b.arrives("Approvals")
	b.follow(job)
	b.arrives("Approve " + job)
	b.sees("0.00250000 BTC")
	b.types("#approver", "carol")
	b.uploads("#key-file", f.carol)
	b.follow("Review…")
	b.sees("You are about to approve")
	b.click("#compared")
	b.click("#sign")
	b.sees("The approval of carol is with the fleet.")
	b.sees("✓ done")
	b.follow("Open the job")
	b.arrives("Job " + job)
	b.sees("1 of 1 signatures")
	b.follow("The result, as the gateway signed it")
	b.sees(`"transaction": "`)

	b.follow("Fleet")
	b.arrives("")
	b.sees("payments: fee")
	b.until(`!document.querySelector('nav .badge')`)
	b.shot("fleet.png")
	if *update {
		f.busy(keys)
		b.picture(filepath.Join(root, "docs", "console.png"))
	}
	b.click("#forget")
	b.sees("Who are you?")
}

// ends is how the console writes an id in a table.
func ends(id string) string { return id[:6] + "…" + id[len(id)-6:] }

// busy has the fleet sign for a while, now more and now less, for charts that show something.
func (f *live) busy(keys []madeKey) {
	f.Helper()
	for i := range 150 {
		post[object](f, "/v1/messages?wait=60s", object{"key": keys[i%len(keys)].ID, "text": fmt.Sprint("receipt ", i)})
		time.Sleep(time.Duration(200+150*math.Sin(float64(i)/8)) * time.Millisecond)
	}
}

// picture writes what is on the screen as docs/console.md shows it, at most 150 kB.
func (b *tab) picture(file string) {
	b.Helper()
	b.do(chromedp.EmulateViewport(1180, 940))
	b.until(`innerWidth === 1180`)
	image, err := png.Decode(bytes.NewReader(result(b, chromedp.CaptureScreenshot())))
	if err != nil {
		b.Fatal(err)
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, image); err != nil {
		b.Fatal(err)
	}
	if small.Len() > 150_000 {
		b.Errorf("the picture has %d bytes", small.Len())
	}
	write(b.T, file, small.String())
}
