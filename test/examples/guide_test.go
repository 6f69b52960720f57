package examples_test

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	btc "github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// draftCommand is the wallet of docs/http.md.
const draftCommand = "draftpsbt"

// draftPSBT writes a PSBT in base64 that spends from a child of the key in an answer of POST /v1/keys.
func draftPSBT(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: %s keys.json pay.psbt", draftCommand)
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var answer struct {
		Keys []struct {
			PublicKey string `json:"public_key"`
			ChainCode string `json:"chain_code"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Keys) == 0 {
		return fmt.Errorf("%s has no key: %w", args[0], err)
	}
	public, err1 := hex.DecodeString(answer.Keys[0].PublicKey)
	code, err2 := hex.DecodeString(answer.Keys[0].ChainCode)
	if err1 != nil || err2 != nil || len(code) != 32 {
		return fmt.Errorf("%s has no key with its chain code", args[0])
	}
	root := derive.Key{Suite: frost.Secp256k1TR, PublicKey: public, ChainCode: [32]byte(code)}
	psbt, err := draft.NewPSBT().Spend(root, derive.Path{0, 0}, 60_000).Pay(draft.Payee(), 50_000).
		Change(root, derive.Path{1, 0}, 9_000).Bytes()
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], []byte(base64.StdEncoding.EncodeToString(psbt)+"\n"), 0o600)
}

// TestHTTPGuide runs the commands of docs/http.md: a fleet, and the session with curl from a key to
// a signed PSBT.
func TestHTTPGuide(t *testing.T) {
	for _, program := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: scripts/setup installs it", err)
		}
	}
	page := string(must(t, filepath.Join(root, "docs/http.md")))
	part := func(name string) (found []string) {
		_, text, _ := strings.Cut(page, "<!-- "+name+" -->")
		text, _, _ = strings.Cut(text, "<!-- /"+name+" -->")
		for _, b := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
			found = append(found, b[1])
		}
		return found
	}
	start, session := part("start"), part("session")
	if len(start) != 1 || len(session) != 6 {
		t.Fatalf("docs/http.md has %d and %d blocks", len(start), len(session))
	}
	commands := strings.Split(strings.TrimSpace(start[0]), "\n")
	if len(commands) != 2 {
		t.Fatalf("the fleet is started with %q", commands)
	}
	dir, port := t.TempDir(), fmt.Sprint(freeport.New(t))
	frostctl := build(t, "cmd/frostctl")
	wallet := filepath.Join(t.TempDir(), draftCommand)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, wallet); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + filepath.Dir(frostctl) + ":" + filepath.Dir(wallet) + ":" + os.Getenv("PATH")
	bash(t, dir, commands[0]+fmt.Sprintf(" --bus-port %d --server-port 0", freeport.New(t)), path)
	serve(t, dir, strings.ReplaceAll(commands[1], "8080", port), "http://127.0.0.1:"+port, path)

	script := ""
	for _, block := range session {
		if strings.Contains(block, "pay.psbt") {
			script += draftCommand + " keys.json pay.psbt\n"
		}
		script += block
	}
	printed := bash(t, dir, strings.ReplaceAll(script, "8080", port), path)
	for _, want := range []string{`"label":"order 4711"`, "\n0/0\n", "event: job", "\nnorth, cold\n", "id,client,chain"} {
		if !strings.Contains(printed, want) {
			t.Errorf("the session does not print %q:\n%s", want, printed)
		}
	}
	var signed struct{ Transaction string }
	if err := json.Unmarshal(must(t, filepath.Join(dir, "signed.json")), &signed); err != nil {
		t.Fatal(err)
	}
	tx := new(btc.MsgTx)
	if err := tx.Deserialize(hex.NewDecoder(strings.NewReader(signed.Transaction))); err != nil ||
		len(tx.TxIn) != 1 || len(tx.TxIn[0].Witness) != 1 || len(tx.TxIn[0].Witness[0]) != 64 {
		t.Errorf("the transaction is not signed: %v, %.200s", err, signed.Transaction)
	}
}

// serve runs a fleet until the test ends, and wants its URL as the last line of standard output.
func serve(t *testing.T, dir, command, url, path string) {
	t.Helper()
	cmd := exec.Command("bash", "-c", "exec "+command)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), path)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first := make(chan string, 1)
	go func() {
		line, _ := lines.ReadString('\n')
		first <- line
	}()
	select {
	case line := <-first:
		if line != url+"\n" {
			t.Errorf("the last line is %q, want %s", line, url)
		}
	case <-time.After(2 * time.Minute):
		t.Error("no URL")
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		more, _ := io.ReadAll(lines)
		if err := cmd.Wait(); err != nil || len(more) > 0 {
			t.Errorf("frostctl dev ended with %v, and printed %q after the URL\n%s", err, more, said.String())
		}
	})
}
