package launch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/httpapi"
)

const testToken = "ff_of_a_test"

// withHTTP gives a gateway's file a section, in the place of the one that it has.
func withHTTP(t *testing.T, dir, section string) *config.Gateway {
	t.Helper()
	path := filepath.Join(dir, fleet.GatewayFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "\n[http]")
	if err := os.WriteFile(path, []byte(head+"\n"+section), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadGateway(t, dir)
}

func httpSection(scopes string) string {
	sum := sha256.Sum256([]byte(testToken))
	return "[http]\nport = 1\n[[http.client]]\nname = \"client0\"\nkey_file = \"../client.key\"\n[[http.token]]\nname = \"test\"\n" +
		"client = \"client0\"\nscopes = [" + scopes + "]\nsha256 = \"" + hex.EncodeToString(sum[:]) + "\"\n"
}

// TestHTTP: the API serves while the gateway does, a token counts and ends as the file says, and
// with the program the port is closed.
func TestHTTP(t *testing.T) {
	t.Parallel()
	dir, o := newFleet(t, 1)
	g := withHTTP(t, dir, httpSection(`"read"`))
	g.HTTP.Port = 0
	urls, reload := make(chan string, 1), make(chan os.Signal)
	o.Serves, o.Reload = func(url string) { urls <- url }, reload
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Gateway(ctx, g, o) }()
	var url string
	select {
	case url = <-urls:
	case err := <-ended:
		t.Fatal(err)
	}
	get := func(token string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/keys", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	if got := get(testToken); got != http.StatusOK {
		t.Errorf("the token of the file: %d", got)
	}
	if got := get("ff_other"); got != http.StatusUnauthorized {
		t.Errorf("another token: %d", got)
	}
	withHTTP(t, dir, httpSection(`"approve"`))
	reload <- os.Interrupt
	for deadline := time.Now().Add(time.Minute); get(testToken) != http.StatusForbidden; {
		if time.Now().After(deadline) {
			t.Fatal("a scope that was taken away still counts")
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil && !interrupted(ctx, err) {
		t.Error(err)
	}
	if got := get(testToken); got != 0 {
		t.Errorf("after the end: %d", got)
	}
}

// TestHTTPStranger: a client whose key the access list has not can't be held.
func TestHTTPStranger(t *testing.T) {
	t.Parallel()
	dir, o := newFleet(t, 1)
	g := withHTTP(t, dir, strings.Replace(httpSection(`"read"`), "../client.key", "gateway.key", 1))
	err := Gateway(t.Context(), g, o)
	if err == nil || !strings.Contains(err.Error(), "[[http.client]] client0: the access list") {
		t.Errorf("%v", err)
	}
}

// TestCallerChanges says whom a reload lets in, and whom not any more.
func TestCallerChanges(t *testing.T) {
	t.Parallel()
	a, b := httpapi.Caller{Name: "a", Rate: 1}, httpapi.Caller{Name: "b"}
	faster := a
	faster.Rate = 2
	for _, c := range []struct {
		before, after []httpapi.Caller
		want          string
		grave         bool
	}{
		{[]httpapi.Caller{a}, []httpapi.Caller{a}, "", false},
		{[]httpapi.Caller{a}, []httpapi.Caller{a, b}, "caller b is new", false},
		{[]httpapi.Caller{a, b}, []httpapi.Caller{faster}, "caller a has changed, caller b is gone", true},
	} {
		got, grave := callerChanges(c.before, c.after)
		if strings.Join(got, ", ") != c.want || grave != c.grave {
			t.Errorf("%v, %t: want %s", got, grave, c.want)
		}
	}
}
