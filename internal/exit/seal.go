package exit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// maxPlain leaves room for what age adds: a header, and 16 bytes for each 64 KiB.
const maxPlain = MaxSize - MaxSize/4096 - 4<<10

// Recipient is a ceremony's public key, to which shares are encrypted.
type Recipient struct {
	key  *age.X25519Recipient
	text string
}

// errRecipient never repeats what was given: it might be the private key.
var errRecipient = errors.New("not a ceremony's recipient: want age1 and 58 more characters, as " +
	"frostctl reconstruct keygen prints")

// ParseRecipient reads what Recipient.String writes.
func ParseRecipient(text string) (Recipient, error) {
	key, err := age.ParseX25519Recipient(text)
	if err != nil || key.String() != text {
		return Recipient{}, errRecipient
	}
	return Recipient{key, text}, nil
}

// String is age's own form: age1...
func (r Recipient) String() string { return r.text }

// Fingerprint is what people read to each other: 128 bits of the SHA-256 of String.
func (r Recipient) Fingerprint() string {
	sum := sha256.Sum256([]byte(r.text))
	groups := make([]string, 8)
	for i := range groups {
		groups[i] = fmt.Sprintf("%x", sum[2*i:][:2])
	}
	return strings.Join(groups, " ")
}

// Identity is a ceremony's private key.
type Identity struct{ key *age.X25519Identity }

// NewIdentity draws one.
func NewIdentity() (*Identity, error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	return &Identity{key}, nil
}

// Recipient is the public half.
func (i *Identity) Recipient() Recipient {
	return Recipient{i.key.Recipient(), i.key.Recipient().String()}
}

// Format keeps the key out of logs and errors.
func (*Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// File is the content of the key's file, which age reads as well.
func (i *Identity) File() *secret.Bytes {
	const form = "# The key of a ceremony of leaving Frostfleet. Secret. Destroy it when that is over.\n" +
		"# recipient: %s\n%s\n"
	return secret.New(fmt.Appendf(nil, form, i.key.Recipient(), i.key))
}

// MaxIdentity bounds a key's file, in bytes.
const MaxIdentity = 4 << 10

// ParseIdentity reads what Identity.File made.
func ParseIdentity(file []byte) (*Identity, error) {
	for line := range bytes.Lines(file) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if key, err := age.ParseX25519Identity(string(line)); err == nil {
			return &Identity{key}, nil
		}
		break
	}
	return nil, errors.New("not the key of a ceremony: frostctl reconstruct keygen makes one")
}

// Seal encrypts a file. The shares stay the caller's to wipe.
func (f *File) Seal(r Recipient) ([]byte, error) {
	plain, err := f.encode()
	if err != nil {
		return nil, err
	}
	defer plain.Wipe()
	var out bytes.Buffer
	in, err := age.Encrypt(&out, r.key)
	if err == nil {
		_, err = in.Write(plain.Expose())
	}
	if err == nil {
		err = in.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return out.Bytes(), nil
}

// Open decrypts and reads a file. The caller wipes the result.
func Open(sealed []byte, i *Identity) (*File, error) {
	switch {
	case len(sealed) > MaxSize:
		return nil, ErrSize
	case !bytes.HasPrefix(sealed, []byte("age-encryption.org/v1\n")):
		return nil, ErrFormat
	}
	in, err := age.Decrypt(bytes.NewReader(sealed), i.key)
	var other *age.NoIdentityMatchError
	switch {
	case errors.As(err, &other):
		return nil, fmt.Errorf("%w, whose recipient is %s", ErrRecipient, i.Recipient())
	case err != nil:
		return nil, ErrDamaged
	}
	plain, err := readAll(in, len(sealed)) // more than there is, so that it is never moved
	var f *File
	if err == nil {
		f, err = decode(plain)
	}
	if err != nil {
		clear(plain)
		return nil, err
	}
	return f, nil
}

// readAll reads to the end, which must be the one that was written: a file that was cut ends
// otherwise.
func readAll(in io.Reader, most int) ([]byte, error) {
	all := make([]byte, 0, most)
	for {
		n, err := in.Read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		switch {
		case err == io.EOF: // and not io.ErrUnexpectedEOF
			return all[:len(all):len(all)], nil
		case err != nil || len(all) == cap(all):
			clear(all)
			return nil, ErrDamaged
		}
	}
}
