package keystore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

const crashDir = "FROSTFLEET_TEST_CRASH_DIR"

// TestMain lets this binary be the process that TestKill kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		certifyForEver(dir)
	}
	os.Exit(m.Run())
}

func certifyForEver(dir string) {
	s, err := Open(dir, &testSeal)
	for i := 0; err == nil; i++ {
		if err = s.Certify(sample(i, 3, 2, 10, frost.Ed25519)); err == nil {
			err = errors.Join(s.Certify(later(i, 1)), s.MarkMoved(sample(i+1, 3, 2, 1, frost.Ed25519).Batch))
		}
		if err == nil {
			fmt.Println(i)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// TestKill: what Certify promised is there after SIGKILL, and the lock is not.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	promised := -1
	for lines.Scan() {
		if _, err := fmt.Sscan(lines.Text(), &promised); err != nil {
			t.Fatalf("child: %s", lines.Text())
		}
		if promised == 25 {
			_ = child.Process.Kill()
		}
	}
	_ = child.Wait()
	if promised < 25 {
		t.Fatalf("child stopped after %d", promised)
	}
	s := open(t, dir)
	for i := range promised + 1 {
		same(t, s, sample(i, 3, 2, 10, frost.Ed25519), false)
		same(t, s, later(i, 1), false)
		if _, err := s.Key(batchID(i+1), 0); !errors.Is(err, ErrMoved) {
			t.Errorf("batch %d has moved: %v", i+1, err)
		}
	}
}

// TestPowerCut opens every kind of file that a power cut during a commit can
// leave: some of the commit's pages on the disk and not the meta page, or half
// a meta page. The store is then as before the commit; with all of it, as
// after it.
func TestPowerCut(t *testing.T) {
	t.Run("another batch", func(t *testing.T) {
		powerCut(t, sample(1, 3, 2, 40, frost.Secp256k1TR), sample(2, 3, 2, 40, frost.Secp256k1TR))
	})
	t.Run("a later generation", func(t *testing.T) { powerCut(t, sample(1, 3, 2, 4, frost.Secp256k1TR), later(1, 1)) })
}

func powerCut(t *testing.T, old, fresh *Record) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Certify(old); err != nil {
		t.Fatal(err)
	}
	before := image(t, dir)
	if err := s.Certify(fresh); err != nil {
		t.Fatal(err)
	}
	after := image(t, dir)
	same(t, open(t, dirWith(t, after)), fresh, false)

	page := os.Getpagesize()
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		torn := make([]byte, len(after))
		copy(torn, before)
		for at := 2 * page; at < len(after); at += page {
			if rng.IntN(2) == 0 {
				copy(torn[at:at+page], after[at:at+page])
			}
		}
		if round%2 == 1 { // the meta page that the commit wrote, torn
			meta := 0
			if string(before[page:2*page]) != string(after[page:2*page]) {
				meta = page
			}
			cut := 16 + 8*(1+rng.IntN(6)) // within page header and meta
			copy(torn[meta:meta+cut], after[meta:meta+cut])
			if string(torn[meta:meta+page]) == string(after[meta:meta+page]) {
				continue
			}
		}
		again, err := Open(dirWith(t, torn), &testSeal)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		same(t, again, old, false)
		signsWith(t, again, old, false)
		if _, err := again.Batch(fresh.ref()); !errors.Is(err, ErrUnknown) {
			t.Fatalf("round %d: half a commit is visible: %v", round, err)
		}
		if err := again.Certify(fresh); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		same(t, again, fresh, false)
		signsWith(t, again, fresh, false)
		_ = again.Close()
	}
}

// damageable gives the image of a store with four complete batches, and one of a later generation.
func damageable(t testing.TB) []byte {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 4 {
		r := sample(i, 3, 2, 10, frost.Secp256k1TR)
		err := errors.Join(s.Certify(r), s.SetCert(r.ref(), []byte("certificate")), s.Complete(r.ref(), r.Certificates))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.PutRecovered(later(5, 1)), s.MarkMoved(batchID(6))); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	return image(t, dir)
}

// TestDamage: a file with random damage gives its old content or an error,
// never a panic, another content or a hang.
func TestDamage(t *testing.T) {
	good := damageable(t)
	used := len(bytes.TrimRight(good, "\x00")) // the file grows ahead of its content
	rng := rand.New(rand.NewPCG(3, 4))
	target := t.TempDir()
	opened, refused := 0, 0
	for range 300 {
		bad := append([]byte(nil), good...)
		for range 1 + rng.IntN(6) {
			at := rng.IntN(used)
			if rng.IntN(2) == 0 {
				at = at&^0xfff + rng.IntN(64) // page headers are where it hurts
			}
			bad[at] = byte(rng.IntN(256))
		}
		if rng.IntN(4) == 0 {
			bad = bad[:rng.IntN(used)]
		}
		if useDamaged(t, target, bad) {
			opened++
		} else {
			refused++
		}
	}
	if opened < 40 || refused < 40 {
		t.Fatalf("%d files were opened and %d refused: the damage is too weak or too strong to tell", opened, refused)
	}
}

// FuzzFile overwrites one place of a good file.
func FuzzFile(f *testing.F) {
	good := damageable(f)
	f.Add(0, []byte{})
	f.Add(16, []byte("\x00\x00"))
	f.Add(2*os.Getpagesize()+8, []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(len(good)/2, make([]byte, 5000))
	f.Fuzz(func(t *testing.T, at int, patch []byte) {
		bad := append([]byte(nil), good...)
		if at < 0 || at >= len(bad) {
			return
		}
		copy(bad[at:], patch)
		useDamaged(t, t.TempDir(), bad)
	})
}

// useDamaged makes every call on a damaged file. Results are compared with
// what was stored: damage may cost a batch, and changes none. It reports whether
// the file could be opened.
func useDamaged(t *testing.T, dir string, file []byte) bool {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, FileName), file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, &testSeal)
	if err != nil {
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrSealKey) && !strings.Contains(err.Error(), "has format") {
			t.Fatalf("damage gave %v", err)
		}
		return false
	}
	defer s.Close()
	for i := range 4 {
		r := sample(i, 3, 2, 10, frost.Secp256k1TR)
		_, _ = s.Batch(r.ref())
		if deals, err := s.Deals(r.ref()); err == nil && !equal(deals, r.Deals) {
			t.Fatal("damaged deals were returned")
		}
		for k := range 10 {
			if key, err := s.Key(r.Batch, k); err == nil &&
				(string(key.Share.Expose()) != string(r.Shares.Expose()[k*32:(k+1)*32]) || key.Owner != r.Owner ||
					string(key.PublicKey) != string(r.PublicKeys[k])) {
				t.Fatal("a damaged key was returned")
			}
		}
	}
	r := later(5, 1)
	if shares, err := s.Shares(r.ref()); err == nil && !bytes.Equal(shares.Expose(), r.Shares.Expose()) {
		t.Fatal("damaged shares were returned")
	}
	if got, err := s.Batch(r.ref()); err == nil && !bytes.Equal(got.Reshare, r.Reshare) {
		t.Fatal("another resharing was returned")
	}
	if key, err := s.Key(r.Batch, 0); err == nil && (key.Generation != 1 || key.MadeBy != r.MadeBy) {
		t.Fatal("a key of another generation was returned")
	}
	_ = s.Known(func(Ref, [32]byte, [32]byte, bool, bool) {})
	_, _ = s.Find(r.Batch, [16]byte(r.Transcript[:]))
	_, _ = s.Pending()
	_, _, _ = s.Cursor()
	_ = s.SetCursor("KEYS", 1)
	_ = s.Certify(sample(9, 3, 2, 10, frost.Secp256k1TR))
	return true
}
