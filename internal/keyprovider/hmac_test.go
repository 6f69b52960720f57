package keyprovider

import (
	"encoding/hex"
	"testing"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// TestHMAC pins the function with case 2 of RFC 4231.
func TestHMAC(t *testing.T) {
	got := HMAC(secret.New([]byte("Jefe")), []byte("what do ya want for nothing?"))
	const want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if hex.EncodeToString(got[:]) != want {
		t.Fatalf("gave %x, want %s", got, want)
	}
}
