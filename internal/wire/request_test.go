package wire

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// signPayload is a sign job with some fields more.
func signPayload(fields string) SignedJob {
	return SignedJob{Kind: KindSign, Payload: []byte(`{"job":"` + jobID(1) + `","kind":"sign","expires":"2026-01-02T04:00:00Z",` +
		fields + `}`)}
}

func TestParseRequests(t *testing.T) {
	t.Parallel()
	key := `{"key":"` + someBatch + `.0"}`
	keys := `"keys":[` + key + `]`
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = `{"key":"` + KeyID{someBatch, i}.String() + `"}`
		}
		return `"keys":[` + strings.Join(list, ",") + `]`
	}
	text := func(n int) string { return `"` + strings.Repeat("ü", n/2) + `"` }
	item := `"items":[{"key":"` + someBatch + `.0","message":"00"}]`
	for name, test := range map[string]struct {
		fields string
		code   Code
		says   string
	}{
		"psbt":               {`"psbt":"cHNidP8=",` + keys, "", ""},
		"psbt with all":      {`"psbt":"cHNidP8=","partial":true,"finalize":true,"replaces":"` + jobID(2) + `",` + keys, "", ""},
		"most keys":          {`"psbt":"cHNidP8=",` + many(MaxPSBTKeys), "", ""},
		"transaction":        {`"solana_transaction":"AAAA",` + keys, "", ""},
		"most signers":       {`"solana_transaction":"AAAA",` + many(MaxTxSigners), "", ""},
		"two children":       {`"solana_transaction":"AAAA","keys":[{"key":"` + someBatch + `.0","path":"0"},` + key + `]`, "", ""},
		"bitcoin message":    {`"bitcoin_message":"hello",` + keys, "", ""},
		"solana message":     {`"solana_message":"hello","keys":[{"key":"` + someBatch + `.0","path":"0/1"}]`, "", ""},
		"longest message":    {`"solana_message":` + text(MaxTextMessage) + "," + keys, "", ""},
		"partial is false":   {item + `,"partial":false`, "", ""},
		"nothing":            {`"partial":true`, CodeMalformedJob, "job of items"},
		"only keys":          {keys, CodeMalformedJob, "keys"},
		"no items":           {`"items":[]`, CodeEmptyBatch, "items is empty"},
		"psbt and items":     {`"psbt":"cHNidP8=",` + item + "," + keys, CodeMalformedJob, "items and psbt"},
		"psbt, empty items":  {`"psbt":"cHNidP8=","items":[],` + keys, CodeMalformedJob, "items and psbt"},
		"empty psbt, items":  {`"psbt":"",` + item, CodeMalformedJob, "items and psbt"},
		"message and psbt":   {`"psbt":"cHNidP8=","bitcoin_message":"x",` + keys, CodeMalformedJob, "psbt and bitcoin_message"},
		"two messages":       {`"solana_message":"x","bitcoin_message":"x",` + keys, CodeMalformedJob, "messages"[:7]},
		"all of them":        {`"psbt":"","solana_transaction":"","solana_message":"","bitcoin_message":"",` + item, CodeMalformedJob, "and"},
		"items with keys":    {item + "," + keys, CodeMalformedJob, "job of items"},
		"items replace":      {item + `,"replaces":"` + jobID(2) + `"`, CodeMalformedJob, "job of items"},
		"empty psbt":         {`"psbt":"",` + keys, CodeEmptyBatch, "psbt is empty"},
		"empty transaction":  {`"solana_transaction":"",` + keys, CodeEmptyBatch, "solana_transaction is empty"},
		"empty message":      {`"bitcoin_message":"",` + keys, CodeEmptyBatch, "bitcoin_message is empty"},
		"psbt as numbers":    {`"psbt":[112,115],` + keys, CodeMalformedJob, "psbt"},
		"psbt as hex":        {`"psbt":"70736274f",` + keys, CodeMalformedJob, "base64"},
		"no padding":         {`"psbt":"cHNidP8",` + keys, CodeMalformedJob, "base64"},
		"loose end":          {`"psbt":"cHNidP9=",` + keys, CodeMalformedJob, "base64"},
		"url alphabet":       {`"psbt":"cHNid_8=",` + keys, CodeMalformedJob, "base64"},
		"line end":           {`"psbt":"cHNi\ndP8=",` + keys, CodeMalformedJob, "line ends"},
		"no keys":            {`"psbt":"cHNidP8="`, CodeMalformedJob, "1 to 100 keys"},
		"empty keys":         {`"psbt":"cHNidP8=","keys":[]`, CodeMalformedJob, "1 to 100 keys"},
		"too many keys":      {`"psbt":"cHNidP8=",` + many(MaxPSBTKeys+1), CodeMalformedJob, "101 keys"},
		"too many signers":   {`"solana_transaction":"AAAA",` + many(MaxTxSigners+1), CodeMalformedJob, "1 to 16 keys"},
		"two for a message":  {`"bitcoin_message":"x",` + many(2), CodeMalformedJob, "1 to 1 keys"},
		"a key twice":        {`"psbt":"cHNidP8=","keys":[` + key + "," + key + `]`, CodeMalformedJob, "keys[1] is there twice"},
		"no key id":          {`"psbt":"cHNidP8=","keys":[{"key":"x"}]`, CodeUnknownKey, "keys[0]"},
		"no key at all":      {`"psbt":"cHNidP8=","keys":[{}]`, CodeUnknownKey, "keys[0]"},
		"psbt with a path":   {`"psbt":"cHNidP8=","keys":[{"key":"` + someBatch + `.0","path":"0"}]`, CodeBadPath, "keys[0]"},
		"hardened path":      {`"solana_message":"x","keys":[{"key":"` + someBatch + `.0","path":"0'"}]`, CodeBadPath, "keys[0]"},
		"empty path":         {`"solana_message":"x","keys":[{"key":"` + someBatch + `.0","path":""}]`, CodeBadPath, "keys[0]"},
		"other field":        {`"psbt":"cHNidP8=","keys":[{"key":"` + someBatch + `.0","message":"00"}]`, CodeMalformedJob, "message"},
		"partial message":    {`"solana_message":"x","partial":true,` + keys, CodeMalformedJob, "psbt"},
		"final transaction":  {`"solana_transaction":"AAAA","finalize":true,` + keys, CodeMalformedJob, "psbt"},
		"replaces no job":    {`"psbt":"cHNidP8=","replaces":"x",` + keys, CodeMalformedJob, "replaces"},
		"replaces itself":    {`"psbt":"cHNidP8=","replaces":"` + jobID(1) + `",` + keys, CodeMalformedJob, "itself"},
		"long message":       {`"solana_message":` + text(MaxTextMessage+2) + "," + keys, CodeBadMessage, "4096"},
		"half a surrogate":   {`"solana_message":"\ud800",` + keys, CodeBadMessage, "UTF-8"},
		"bytes that no text": {`"solana_message":"` + "\xff" + `",` + keys, CodeBadMessage, "UTF-8"},
		"chain":              {`"psbt":"cHNidP8=","chain":"bitcoin",` + keys, CodeMalformedJob, "chain"},
	} {
		_, err := signPayload(test.fields).Parse(t0)
		switch {
		case test.code == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.code != "" && (err == nil || err.Code != test.code || !strings.Contains(err.Reason, test.says)):
			t.Errorf("%s: %v, want %s: %s", name, err, test.code, test.says)
		}
	}
	for _, fields := range []string{`"psbt":"cHNidP8="`, `"solana_message":"x"`, keys, `"finalize":true`} {
		payload := `{"job":"` + jobID(1) + `","kind":"keygen","expires":"2026-01-02T04:00:00Z","chain":"bitcoin","count":1,` + fields + `}`
		if _, err := (SignedJob{Kind: KindKeygen, Payload: []byte(payload)}).Parse(t0); err == nil || err.Code != CodeMalformedJob {
			t.Errorf("keygen with %s: %v", fields, err)
		}
	}
}

// A request is what the job's own fields say, and nothing else.
func TestRequest(t *testing.T) {
	t.Parallel()
	keys := `,"keys":[{"key":"` + someBatch + `.0"}]`
	for fields, want := range map[string]struct {
		kind  intent.Kind
		bytes string
		suite frost.Suite
	}{
		`"items":[{"key":"x","message":"00"}]`:                            {intent.Raw, "", 0},
		`"psbt":"` + base64.StdEncoding.EncodeToString([]byte("a")) + `"`: {intent.PSBT, "a", frost.Secp256k1TR},
		`"solana_transaction":"Yg=="`:                                     {intent.SolanaTransaction, "b", frost.Ed25519},
		`"bitcoin_message":"\u00fc"`:                                      {intent.BitcoinMessage, "ü", frost.Secp256k1TR},
		`"solana_message":"\n"`:                                           {intent.SolanaMessage, "\n", frost.Ed25519},
	} {
		if want.kind != intent.Raw {
			fields += keys
		}
		job, err := signPayload(fields).Parse(t0)
		if err != nil {
			t.Errorf("%s: %v", fields, err)
			continue
		}
		if kind, content := job.Request(); kind != want.kind || string(content) != want.bytes || RequestSuite(kind) != want.suite {
			t.Errorf("%s: %s of %q", fields, kind, content)
		}
	}
}

// Codes of readers are codes of jobs.
func TestCodesOfReaders(t *testing.T) {
	t.Parallel()
	for _, code := range []string{intent.BadPSBT, intent.BadTransaction, intent.BadMessage, intent.NoInput, intent.MissingAmount,
		intent.BadInput, intent.NotUnderstood} {
		found := false
		for _, c := range JobCodes {
			found = found || string(c) == code
		}
		if !found {
			t.Errorf("no job can end with %s", code)
		}
	}
}
