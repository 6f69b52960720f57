// Package e2e_test runs the real binaries from scripts, as a user or an
// operator would, and kills them.
package e2e_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

func TestMain(m *testing.M) {
	bin, err := fleettest.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(bin)
	os.Exit(code)
}

func TestScripts(t *testing.T) {
	bin, err := fleettest.Build()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("SOFTHSM_LIBRARY", softhsm.Installed(t))
			for i := range 5 {
				env.Setenv(fmt.Sprintf("PORT%d", i+1), fmt.Sprint(freeport.New(t)))
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"eventually": eventually, "publish": publish, "psbt": draftPSBT, "accepted": accepted, "transfer": transfer,
			"transferred": transferred, "spent": spent,
		},
	})
}

// eventually runs a command until it succeeds, for up to two minutes.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually command [arguments]")
	}
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = ts.Exec(args[0], args[1:]...); err == nil {
			return
		}
	}
	ts.Fatalf("%v: %v", args, err)
}

// publish signs the payload of a job with a client's key and publishes it, as programs do
// that are in no way of this project.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: publish client.toml payload")
	}
	cfg, err := client.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	m := cfg.Manifest
	payload, hash := []byte(ts.ReadFile(args[1])), m.Hash()
	var job struct{ Kind string }
	ts.Check(json.Unmarshal(payload, &job))
	message := nats.NewMsg(fmt.Sprintf("frost.%s.job.%s.%s", m.Fleet, job.Kind, cfg.Name))
	message.Data = payload
	message.Header.Set("Frost-Client", cfg.Name)
	message.Header.Set("Frost-Signature", hex.EncodeToString(ed25519.Sign(cfg.Key,
		fmt.Appendf(nil, "frostfleet/job/v2\n%s\n%s\n%x\n%s", message.Subject, m.Network, hash, payload))))
	nc, err := nats.Connect(cfg.URL)
	ts.Check(err)
	defer nc.Close()
	_, err = nc.RequestMsg(message, time.Minute)
	ts.Check(err)
}
