// Package console_test looks at the console as people do: in a browser, headless Chromium, with
// clicks and keys. A fake API shows it what fleets seldom are; a real fleet, what they are.
package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// limit is how long a person would wait at most for what a test waits for. Nothing waits for a
// time: each step waits for what it wants to see.
const limit = 2 * time.Minute

// browser is one Chromium for all tests; each has a profile of its own in it.
var browser struct {
	sync.Once
	ctx context.Context
	end func()
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.end != nil {
		browser.end()
	}
	os.Exit(code)
}

// chromium is the program, from $FROSTFLEET_CHROMIUM or under one of its names.
func chromium() (string, error) {
	if named := os.Getenv("FROSTFLEET_CHROMIUM"); named != "" {
		return named, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("no Chromium: scripts/setup installs it, or name one in FROSTFLEET_CHROMIUM")
}

func start() {
	name, err := chromium()
	if err != nil {
		browser.err = err
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(name),
		chromedp.Flag("font-render-hinting", "none"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with it
	}
	allocated, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, endBrowser := chromedp.NewContext(allocated)
	browser.ctx, browser.err = ctx, chromedp.Do(ctx)
	browser.end = func() {
		endBrowser()
		endAllocator()
	}
}

// tab is a page of a browser profile of its own.
type tab struct {
	*testing.T
	ctx  context.Context
	base string // of the gateway

	mu    sync.Mutex
	wrong []string // requests to others, errors of scripts
}

// watch is what every page runs first: it keeps what the page's policy forbade.
const watch = `window.forbidden = [];
document.addEventListener('securitypolicyviolation',
  e => window.forbidden.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile + ':' + e.lineNumber));`

// open shows a gateway's page in a window of that many pixels.
func open(t *testing.T, base string, width, height int64) *tab {
	t.Helper()
	browser.Do(start)
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	ctx, end := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	b := &tab{T: t, ctx: ctx, base: base}
	host, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "data" && u.Host != host.Host {
				b.wrong = append(b.wrong, "request to "+e.Request.URL)
			} else if strings.Contains(e.Request.URL, "ff_") {
				b.wrong = append(b.wrong, "a token in the address "+e.Request.URL)
			}
		case *runtime.EventExceptionThrown:
			what := e.ExceptionDetails.Text
			if thrown := e.ExceptionDetails.Exception; thrown != nil {
				what += " " + thrown.Description
			}
			b.wrong = append(b.wrong, "script: "+what)
		}
	}); err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
	b.light("light")
	b.do(chromedp.EmulateViewport(width, height))
	t.Cleanup(b.check)
	b.do(chromedp.Navigate(base))
	return b
}

// check is at the end of each test: nothing was asked of others, no script failed, and the page's
// policy had nothing to forbid.
func (b *tab) check() {
	forbidden := value[[]string](b, `window.forbidden`)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, what := range append(b.wrong, forbidden...) {
		b.Error(what)
	}
}

// result is what an action comes to, in the time that a person would wait.
func result[V any](b *tab, action chromedp.Action[V]) V {
	b.Helper()
	ctx, end := context.WithTimeout(b.ctx, limit)
	defer end()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	result(b, chromedp.Steps(actions...))
}

// call is a command of the browser's protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	result(b, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) })
}

// value is what an expression is in the page, or comes to.
func value[V any](b *tab, expression string) V {
	b.Helper()
	return result(b, chromedp.Evaluate[V](expression, chromedp.EvalAwaitPromise))
}

// until waits for an expression to be true.
func (b *tab) until(expression string) {
	b.Helper()
	for end := time.Now().Add(limit); !value[bool](b, "!!("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.shot("never.png")
			b.Fatalf("never: %s\nthe page:\n%s", expression, value[string](b, `document.body.innerText`))
		}
	}
}

// sees waits for a text on the page.
func (b *tab) sees(text string) {
	b.Helper()
	b.until(fmt.Sprintf("document.body.innerText.includes(%s)", quoted(text)))
}

func quoted(s string) string {
	text, _ := json.Marshal(s) // no string fails
	return string(text)
}

// press waits until what an expression finds can be clicked, and clicks it in that moment, so
// that a page which changes moves nothing away from under the pointer.
const press = `(e => {
	if (!e || e.disabled || !e.checkVisibility()) return false;
	e.scrollIntoView({block: 'center'});
	const box = e.getBoundingClientRect(), over = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
	if (!over || !e.contains(over) && !over.contains(e)) return false;
	e.focus();
	e.click();
	return true;
})(%s)`

// arrives waits for a page of the console: its heading is there, and has the focus.
func (b *tab) arrives(heading string) {
	b.Helper()
	b.until(fmt.Sprintf(`(h => h && h === document.activeElement && h.innerText.startsWith(%s))(document.querySelector('h1'))`,
		quoted(heading)))
}

// click clicks on what a CSS selector finds.
func (b *tab) click(selector string) {
	b.Helper()
	b.until(fmt.Sprintf(press, fmt.Sprintf(`document.querySelector(%s)`, quoted(selector))))
}

// follow clicks on the first link, button or summary with that text in it.
func (b *tab) follow(text string) {
	b.Helper()
	b.until(fmt.Sprintf(press, fmt.Sprintf(`[...document.querySelectorAll('a, button, summary')].find(e =>
		e.innerText.includes(%s))`, quoted(text))))
}

// types replaces the text of a field, key by key.
func (b *tab) types(selector, text string) {
	b.Helper()
	b.until(fmt.Sprintf(`(e => e && (e.focus(), e.select(), document.activeElement === e))(document.querySelector(%s))`,
		quoted(selector)))
	b.do(chromedp.KeyEvent(text))
}

// chooses takes an option of a list.
func (b *tab) chooses(selector, option string) {
	b.Helper()
	b.until(fmt.Sprintf(`(s => s && (s.value = %s, s.dispatchEvent(new Event('change', {bubbles: true}))))(`+
		`document.querySelector(%s))`, quoted(option), quoted(selector)))
}

// goes opens a page of the console by its address.
func (b *tab) goes(page string) {
	b.Helper()
	value[string](b, `location.hash = `+quoted(page))
}

// uploads chooses a file.
func (b *tab) uploads(selector, file string) {
	b.Helper()
	b.do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{file}))
}

// light is what the system prefers: "light" or "dark".
func (b *tab) light(scheme string) {
	b.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// enter gives the page a token.
func (b *tab) enter(token string) {
	b.Helper()
	b.types("#token", token+"\r")
}

// shot writes a picture of the page to the folder $FROSTFLEET_SHOTS, if there is one.
func (b *tab) shot(name string) {
	b.Helper()
	folder := os.Getenv("FROSTFLEET_SHOTS")
	if folder == "" {
		return
	}
	file := filepath.Join(folder, strings.ReplaceAll(b.Name(), "/", "-")+"-"+name)
	if err := os.WriteFile(file, result(b, chromedp.FullScreenshot(100)), 0o600); err != nil {
		b.Error(err)
	}
}
