package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a message (Standard Webhooks).
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

// message is what is sent, as JSON.
type message struct {
	Type      string    `json:"type"`      // job.finished, job.denied or job.pending
	Timestamp time.Time `json:"timestamp"` // of the event
	Data      any       `json:"data"`      // the job, as GET /v1/jobs/{id} has it
}

func (m message) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("the message can't be encoded: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// sign puts the headers of a message on a request that is sent at a time.
func sign(h http.Header, secrets [][]byte, id string, at time.Time, body []byte) {
	unix := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + unix + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	h.Set(headerID, id)
	h.Set(headerTimestamp, unix)
	h.Set(headerSignature, strings.Join(signatures, " "))
}
