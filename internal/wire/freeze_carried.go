package wire

import "fmt"

// What an administrator says over HTTP, a gateway carries to CONTROL. It does so under a
// subject of its own: under the administrator's, it could fill what the administrator has room
// for, and nobody would freeze any more.

// CarriedFilter matches all that gateways carried.
const CarriedFilter = "carried.*"

// CarriedSubject is where a gateway leaves what administrators gave it. The server lets no other
// write there, and it takes as much as an administrator's own subject.
func CarriedSubject(gateway string) string { return carriedSubject + "." + gateway }

const carriedSubject = "carried"

// carriedMessage is a message of an administrator under a gateway's subject.
type carriedMessage struct {
	Version       uint32 `cbor:"1,keyasint"`
	Administrator string `cbor:"2,keyasint"`
	Message       []byte `cbor:"3,keyasint"` // as it would stand under the administrator's subject
}

const (
	carriedVersion = 1
	carriedMore    = 96 // bytes that it adds to the message, at most
)

// MaxCarried bounds a message that can be carried, in bytes: CONTROL takes 4 KiB.
const MaxCarried = MaxFreeze - carriedMore

// EncodeCarried is what a gateway publishes under CarriedSubject.
func EncodeCarried(administrator string, message []byte) ([]byte, error) {
	if !IsToken(administrator) || len(message) > MaxCarried {
		return nil, fmt.Errorf("message of %d bytes of administrator %.64q can't be carried", len(message), administrator)
	}
	return Encode(&carriedMessage{carriedVersion, administrator, message}), nil
}

// Uncarry gives a message of CONTROL as its administrator would have left it: what was carried
// comes out of its wrapping, and all else is as it was. It proves nothing.
func Uncarry(subject string, data []byte) (string, []byte) {
	if _, err := tokens(subject, 2, carriedSubject); err != nil {
		return subject, data
	}
	var c carriedMessage
	if err := Decode(data, MaxFreeze, &c); err != nil || c.Version != carriedVersion || !IsToken(c.Administrator) {
		return subject, data
	}
	return ControlSubject(c.Administrator), c.Message
}
