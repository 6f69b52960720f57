package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// How a job comes from the bus, and where it is answered, whatever it is.

// ReadJob makes a job of a message of JOBS. A client header that contradicts the
// subject leaves it unsigned.
func ReadJob(kind Kind, client string, payload []byte, headers map[string][]string) SignedJob {
	j := SignedJob{Client: client, Kind: kind, Payload: payload}
	named, fault := oneHeader(headers, HeaderClient)
	signed, unsigned := oneHeader(headers, HeaderSignature)
	switch sig, err := hex.DecodeString(signed); {
	case fault != "":
		j.fault = fault
	case unsigned != "":
		j.fault = unsigned
	case named != client:
		j.fault = fmt.Sprintf("the header %s is %.64q, and the job's subject ends in %q", HeaderClient, named, client)
	case err != nil || len(sig) != ed25519.SignatureSize:
		j.fault = fmt.Sprintf("the header %s does not have the %d hexadecimal digits of a signature", HeaderSignature,
			2*ed25519.SignatureSize)
	default:
		j.Signature = sig
		if j.Approvals, err = readApprovals(headers, HeaderApproval, MaxApprovals); err != nil {
			j.fault = err.Error()
		}
	}
	return j
}

// oneHeader is the value of a header that must be there once, in whatever case: NATS
// keeps that of the writer, and what a job passes on its way may change it. Otherwise
// fault says what is wrong with it.
func oneHeader(headers map[string][]string, name string) (value, fault string) {
	count := 0
	for k, values := range headers {
		if len(k) == len(name) && strings.EqualFold(k, name) { // of one length: no letters beyond ASCII
			for _, v := range values {
				value = strings.Trim(v, " \t")
				count++
			}
		}
	}
	switch count {
	case 0:
		return "", fmt.Sprintf("the header %s is missing, or the headers can't be read", name)
	case 1:
		return value, ""
	}
	return "", fmt.Sprintf("the header %s is there %d times", name, count)
}

var jobIDPattern = regexp.MustCompile(
	`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// IsJobID reports whether a text is the id of a job: a UUID in either case. It is the
// text that counts, as its client listens under it.
func IsJobID(id string) bool { return jobIDPattern.MatchString(id) }

// PeekJobID reads just the id of a payload that may be wrong otherwise, so
// that a refusal reaches who asked. It is empty if there is none.
func PeekJobID(payload []byte) string {
	if len(payload) > MaxJobSize {
		return ""
	}
	if id := peekID(payload); IsJobID(id) {
		return id
	}
	return ""
}

func peekID(payload []byte) string {
	var j struct {
		ID string `json:"job"`
	}
	if json.Unmarshal(payload, &j) != nil {
		return ""
	}
	return j.ID
}

// idInText finds what looks like an id in a payload that is no JSON object.
var idInText = regexp.MustCompile(`"job"\s*:\s*"([0-9A-Za-z_-]{1,64})"`)

// NamedID is the id that a payload names, also one that no job may have, and also where
// the payload is no JSON: under it the sender waits for an answer. It is empty if a
// subject can have none.
func NamedID(payload []byte) string {
	id := peekID(payload)
	if found := idInText.FindSubmatch(payload); id == "" && found != nil {
		id = string(found[1])
	}
	if !IsToken(id) {
		return ""
	}
	return id
}

// AnswerID is the last token of the subject on which a job is answered: the id that its
// payload names, or if that can't be read, one that follows from the payload.
func AnswerID(payload []byte) string {
	if id := NamedID(payload); id != "" {
		return id
	}
	sum := sha256.Sum256(payload)
	return "unnamed-" + hex.EncodeToString(sum[:16])
}
