package console_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const wide, high, phone = 1280, 900, 360

// opened shows a fake's console with the token entered.
func opened(t *testing.T, f *fake, width int64) *tab {
	t.Helper()
	b := open(t, f.URL, width, high)
	b.enter(fakeToken)
	b.sees("nodes are here")
	return b
}

// TestToken: a wrong one is said to be wrong, a right one stays in the tab, and can be forgotten.
func TestToken(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	b := open(t, f.URL, wide, high)
	b.sees("Who are you?")
	if value[string](b, `document.activeElement.id`) != "token" {
		t.Error("the field has no focus")
	}
	b.enter("ff_wrong")
	b.sees("No such token.")
	b.sees("req-17")
	b.enter(fakeToken)
	b.sees("2 of 3 nodes are here")
	b.do(chromedp.Reload())
	b.sees("2 of 3 nodes are here")
	kept := value[string](b, `Object.values(localStorage).join() + document.cookie + location.href`)
	if strings.Contains(kept, "ff_") {
		t.Error("the token is where it stays: ", kept)
	}
	b.click("#forget")
	b.sees("Who are you?")
	if kept := value[int](b, `Object.values(sessionStorage).filter(v => v.includes('ff_')).length`); kept != 0 {
		t.Error("the token is not forgotten")
	}
}

// TestOverview: what an operator wants to know first.
func TestOverview(t *testing.T) {
	t.Parallel()
	b := opened(t, newFake(t), wide)
	for _, text := range []string{
		"Signs, with nodes missing", "Keys can’t be generated: that needs all 3 nodes.", "No further node may be lost",
		"different policies", "1 job waits for approval", "3 sign jobs in the queue", "✕ missing", "✓ present", "worker-3",
		"1,200 of 4,000 keys", "signing_failed", "treasury: destination", "Throughput", "a second", "99 %",
	} {
		b.sees(text)
	}
	b.shot("light.png")
	b.chooses("#theme", "dark")
	b.until(`matchMedia('(prefers-color-scheme: light)').matches`)
	b.until(`getComputedStyle(document.body).backgroundColor === 'rgb(14, 21, 26)'`)
	b.shot("dark.png")
	b.do(chromedp.Reload())
	b.sees("worker-3")
	b.until(`document.documentElement.dataset.theme === 'dark'`)
	b.chooses("#theme", "auto")
	b.until(`getComputedStyle(document.body).backgroundColor === 'rgb(243, 246, 248)'`)
	b.light("dark")
	b.until(`getComputedStyle(document.body).backgroundColor === 'rgb(14, 21, 26)'`)
}

// TestChart: the figures under a chart are there for those who can't see it, and the keyboard
// moves through it.
func TestChart(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	b := opened(t, f, wide)
	b.until(`document.querySelector('.chart > svg')?.getAttribute('aria-label').startsWith('Throughput: signatures ')`)
	b.do(chromedp.Focus(chromedp.CSS(".chart > svg")), chromedp.KeyEvent(kb.ArrowLeft), chromedp.KeyEvent(kb.ArrowLeft))
	b.until(`document.querySelector('.chart .cursor') && document.querySelector('.chart .legend').innerText.includes('at ')`)
	b.click(".chart summary")
	b.until(`document.querySelectorAll('.chart details[open] tbody tr').length === 180`)
	line := value[string](b, `document.querySelectorAll('.chart > svg .line-0')[1].getAttribute('d')`)
	if strings.Count(line, "M") != 2 {
		t.Error("a gap in the figures is no gap in the line")
	}
	lone := make([]any, 180)
	lone[7] = 0.5
	figures := stats(time.Now())
	figures["kinds"].([]object)[0]["median"] = lone
	f.set("/v1/stats", figures)
	b.until(`document.querySelector('.line-0.dot')?.getAttribute('d').endsWith('h0')`)
}

// TestTextsAreTexts: what others wrote is shown as what it is.
func TestTextsAreTexts(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	const evil = `<img src=x onerror="window.broken=1"><script>window.broken=1</script>`
	jobs := object{"jobs": []object{{"id": "a", "client": evil, "kind": evil, "chain": evil, "status": evil, "label": evil,
		"code": evil, "error": evil + "\u202edesrever\u0007", "created": evil, "count": 1, "done": 0}}}
	f.set("/v1/jobs", jobs)
	f.set("/v1/jobs/a", jobs["jobs"].([]object)[0])
	key := object{"id": evil, "client": evil, "chain": evil, "address": evil, "public_key": evil, "descriptor": evil,
		"label": evil, "metadata": object{evil: evil}, "generation": evil, "created": evil, "job": evil}
	f.set("/v1/keys", object{"keys": []object{key}})
	f.set("/v1/keys/k", key)
	b := opened(t, f, wide)
	for _, page := range []string{"#/", "#/jobs", "#/jobs/a", "#/keys", "#/keys/k"} {
		b.goes(page)
		b.sees(evil)
		if page == "#/jobs" {
			b.sees(`\u{202e}desrever\u{7}`)
		}
	}
	if value[bool](b, `window.broken === 1 || !!document.querySelector('main img, main script')`) {
		t.Error("a text became markup")
	}
}

// TestFaults: what went wrong is said with the request's id, what is old is marked as old, and
// the page recovers by itself.
func TestFaults(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.mu.Lock()
	f.problems["GET /v1/keys"] = object{"status": 403, "code": "forbidden_scope", "title": "Forbidden",
		"detail": "This token's scopes lack read."}
	f.problems["GET /v1/jobs"] = object{"status": 500, "code": "internal", "title": "Internal error", "detail": "Sorry.",
		"errors": []object{{"location": "query.limit", "message": "is odd"}}}
	f.mu.Unlock()
	f.set("/v1/approvals", object{"approvals": []object{}})
	b := opened(t, f, wide)
	b.follow("Keys")
	for _, text := range []string{"This token may not see this", "lack read", "forbidden_scope", "req-17"} {
		b.sees(text)
	}
	b.follow("Jobs")
	for _, text := range []string{"Internal error", "Sorry.", "query.limit", "is odd", "req-17"} {
		b.sees(text)
	}
	b.follow("Approvals")
	b.sees("Nothing waits for approval.")
	b.follow("Fleet")
	b.sees("worker-3")
	f.mu.Lock()
	f.down = true
	f.mu.Unlock()
	b.sees("✕ disconnected")
	b.sees("This is what the gateway said")
	b.sees("worker-3")
	f.mu.Lock()
	f.down = false
	f.mu.Unlock()
	b.sees("✓ connected")
	b.until(`!document.body.innerText.includes('Not current.')`)
	f.set("/v1/jobs", object{"jobs": []object{}})
	f.mu.Lock()
	delete(f.problems, "GET /v1/jobs")
	f.mu.Unlock()
	b.sees("No job yet.")
}

// TestKeys: searching, and a label.
func TestKeys(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := strings.Repeat("60", 16) + ".5"
	const address = "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c"
	f.set("/v1/addresses/"+address, object{"address": address, "path": "0/17", "key": f.answers["GET /v1/keys/"+id]})
	f.set("/v1/keys/"+id+"/addresses", object{"addresses": []object{{"index": 0, "path": "0/0", "address": "tb1pchild"}}})
	b := opened(t, f, wide)
	b.follow("Keys")
	b.arrives("Keys")
	b.types("#key-search", address+"\r")
	b.sees("0/17")
	b.types("#key-search", id+"\r")
	b.arrives("Key " + id)
	b.types("#label", "cold wallet")
	b.follow("Save")
	b.sees("✓ Saved")
	if sent := f.last(); sent["label"] != "cold wallet" || len(sent) != 1 {
		t.Errorf("sent %v", sent)
	}
	b.follow("Addresses of its children")
	b.sees("tb1pchild")
	b.types("#label", strings.Repeat("ü", 65))
	b.sees("It has 130 bytes.")
	b.until(`document.querySelector('.label button').disabled`)
	b.until(`document.activeElement.id === 'label'`)
}

// keyFile writes what frostctl fleet key writes for an approver.
func keyFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "approver.key")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestApprove: what the browser signs is what nodes verify, only after a look at what it is, and
// the key stays in the browser. The job is followed to its end.
func TestApprove(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := opened(t, f, wide)
	b.follow("Approvals")
	b.follow(f.jobID)
	b.arrives("Approve " + f.jobID)
	b.sees("0.50000000 BTC")
	b.sees("18446744073709551615 smallest units of token mint") // no double holds it
	b.types("#approver", "carol")
	b.uploads("#key-file", keyFile(t, seedOf(private)))
	b.follow("Review…")
	b.sees("You are about to approve")
	b.sees(hex.EncodeToString(public))
	b.sees("frostfleet/approval/v1")
	b.shot("confirm.png")
	if !value[bool](b, `document.querySelector('#sign').disabled`) {
		t.Error("it can be signed unread")
	}
	if f.last() != nil {
		t.Error("something was sent before the person agreed")
	}
	b.click("#compared")
	b.click("#sign")
	b.sees("The approval of carol is with the fleet.")
	sent := f.last()
	if len(sent) != 5 || sent["client"] != f.client || sent["job"] != f.jobID {
		t.Errorf("sent %v", sent)
	}
	if a := given(t, sent); !a.Verify(public, f.manifest, f.digest()) || time.Since(a.At()).Abs() > limit {
		t.Errorf("sent %v, which no node takes", sent)
	}
	f.set("/v1/approvals", object{"approvals": []object{}})
	b.sees("It waits no longer.")
	for done := 1; done <= 4; done++ {
		status := map[bool]string{true: "done", false: "accepted"}[done == 4]
		f.set("/v1/jobs/"+f.jobID, object{"id": f.jobID, "client": f.client, "kind": "sign", "status": status,
			"count": 4, "done": done})
		b.sees(fmt.Sprintf("%d of 4", done))
	}
	b.sees("✓ done")
	if f.last()["signature"] != sent["signature"] {
		t.Error("approved twice")
	}
}

// TestApproveRefuses: a digest that is another one, a payload of another job, and files that are
// no key end before anything is signed.
func TestApproveRefuses(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	key := strings.Repeat("07", 32)
	b := opened(t, f, wide)
	b.goes("#/approvals/" + f.client + "/" + f.jobID)
	b.arrives("Approve " + f.jobID)
	try := func(file, want string) {
		t.Helper()
		b.types("#approver", "carol")
		b.uploads("#key-file", keyFile(t, file))
		b.follow("Review…")
		b.sees(want)
		if value[bool](b, `!!document.querySelector('dialog')`) {
			t.Error("asks to sign: ", want)
		}
	}
	try("-----BEGIN PRIVATE KEY-----\n", "has 64 hexadecimal digits")
	try(key[1:], "is not 64 hexadecimal digits")
	try(strings.Repeat("z", 64), "is not 64 hexadecimal digits")
	try(strings.Repeat(key, 100), "more than 4,096 bytes")
	change := func(name string, to any) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.answers["GET /v1/approvals"].(object)["approvals"].([]object)[0][name] = to
	}
	digest := hex.EncodeToString(make([]byte, 32))
	change("digest", digest)
	b.sees(digest)
	try(key, "do not approve, and tell the operators")
	f.payload = strings.Replace(f.payload, f.jobID, "0198c0de-7a10-7cc3-98c4-dc0c0c073999", 1)
	own := f.digest()
	change("digest", hex.EncodeToString(own[:]))
	change("payload", f.payload)
	b.sees(hex.EncodeToString(own[:]))
	try(key, "the payload is that of another job")
	if sent := f.last(); sent != nil {
		t.Errorf("sent %v", sent)
	}
}

// pagesOf are all pages, in each state that looks different.
func pagesOf(f *fake) []string {
	return []string{"#/", "#/jobs", "#/jobs/" + f.jobID, "#/keys", "#/keys/" + strings.Repeat("60", 16) + ".5", "#/approvals",
		"#/approvals/" + f.client + "/" + f.jobID, "#/jobs/none"}
}

// TestAccessible: axe finds nothing serious on any page, in either light, on a screen and on a
// phone, where nothing is wider than the screen.
func TestAccessible(t *testing.T) {
	t.Parallel()
	script := axe(t)
	for name, c := range map[string]struct {
		width  int64
		scheme string
	}{"light": {wide, "light"}, "dark": {wide, "dark"}, "phone": {phone, "light"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			b := open(t, f.URL, c.width, high)
			// For axe, which makes style sheets. The other tests keep the policy.
			call(b, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
			b.light(c.scheme)
			b.do(chromedp.Navigate(f.URL))
			b.sees("Who are you?")
			b.inspect(script)
			b.enter(fakeToken)
			for _, address := range pagesOf(f) {
				b.goes(address)
				b.arrives("")
				b.until(`!document.querySelector('.loading')`)
				b.inspect(script)
				b.shot(strings.NewReplacer("/", "_", "#", "").Replace(address) + ".png")
				if over := value[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
					t.Errorf("%s is %d pixels wider than the screen", address, over)
				}
			}
			b.goes("#/approvals/" + f.client + "/" + f.jobID)
			b.arrives("Approve " + f.jobID)
			b.types("#approver", "carol")
			b.uploads("#key-file", keyFile(t, strings.Repeat("07", 32)))
			b.follow("Review…")
			b.sees("You are about to approve")
			b.inspect(script)
			b.shot("confirm.png")
		})
	}
}

// TestKeyboard: everything is reached and used without a mouse.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	b := opened(t, f, wide)
	value[bool](b, `document.activeElement.blur() ?? true`)
	reached := map[string]bool{}
	for range 40 {
		b.do(chromedp.KeyEvent("\t"))
		what := value[string](b, `(e => (e.id || e.textContent || e.tagName).trim())(document.activeElement)`)
		reached[what] = true
		if what == "Keys" {
			b.do(chromedp.KeyEvent("\r"))
			b.until(`document.activeElement.tagName === 'H1' && document.activeElement.innerText === 'Keys'`)
			break
		}
	}
	for _, want := range []string{"Skip to the page", "theme", "forget", "Fleet", "Jobs", "Keys"} {
		if !reached[want] {
			t.Errorf("no way to %q: %v", want, reached)
		}
	}
}
