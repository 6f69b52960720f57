package awskms

import (
	"strings"
	"testing"
)

const uuid = "12345678-1234-1234-1234-123456789012"

func TestParseKeyName(t *testing.T) {
	const arn = "arn:aws:kms:us-east-1:123456789012:"
	tests := []struct {
		in    string
		alias bool
		multi bool
		there string // in eu-west-1
	}{
		{arn + "key/" + uuid, false, false, "arn:aws:kms:eu-west-1:123456789012:key/" + uuid},
		{arn + "key/mrk-1234abcd12ab34cd56ef1234567890ab", false, true,
			"arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"},
		{arn + "alias/frost/node_0-a", true, false, "arn:aws:kms:eu-west-1:123456789012:alias/frost/node_0-a"},
		{"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/" + uuid, false, false,
			"arn:aws-us-gov:kms:eu-west-1:123456789012:key/" + uuid},
		{"arn:aws-cn:kms:cn-north-1:123456789012:alias/a", true, false, "arn:aws-cn:kms:eu-west-1:123456789012:alias/a"},
		{"arn:aws-iso-b:kms:us-isob-east-1:123456789012:alias/a", true, false,
			"arn:aws-iso-b:kms:eu-west-1:123456789012:alias/a"},
		{uuid, false, false, uuid},
		{"mrk-1234abcd12ab34cd56ef1234567890ab", false, true, "mrk-1234abcd12ab34cd56ef1234567890ab"},
		{"alias/frost-node-0", true, false, "alias/frost-node-0"},
	}
	for _, c := range tests {
		k, err := parseKeyName(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if k.String() != c.in || k.alias() != c.alias || k.multiRegion() != c.multi || k.in("eu-west-1").String() != c.there {
			t.Errorf("%s: %+v, alias %t, multi-Region %t, there %s", c.in, k, k.alias(), k.multiRegion(), k.in("eu-west-1"))
		}
	}
	for in, want := range map[string]string{
		"":               "is missing",
		"frost-node-0":   "begins with alias/",
		"alias/":         "begins with alias/",
		"alias/a b":      "begins with alias/",
		uuid + "\n":      "no ARN",
		"key/" + uuid:    "no ARN",
		arn + uuid:       "arn:aws:kms:REGION",
		arn + "key/":     "arn:aws:kms:REGION",
		arn + "key/../x": "arn:aws:kms:REGION",
		arn + "grant/x":  "arn:aws:kms:REGION",
		"arn:aws:kms:us-east-1:12345678901:key/" + uuid:         "arn:aws:kms:REGION",
		"arn:aws:kms::123456789012:key/" + uuid:                 "arn:aws:kms:REGION",
		"arn:aws:s3:us-east-1:123456789012:key/" + uuid:         "arn:aws:kms:REGION",
		"arn:aws:kms:evil.com/:123456789012:key/" + uuid:        "arn:aws:kms:REGION",
		"arn:aws:kms:us-east-1:123456789012:key/" + uuid + ":x": "arn:aws:kms:REGION",
		strings.Repeat("x", 5000):                               "no ARN",
	} {
		k, err := parseKeyName(in)
		if err == nil || !strings.Contains(err.Error(), want) || k != (keyName{}) || len(err.Error()) > 600 {
			t.Errorf("%.80q gave %+v, %v, want %q", in, k, err, want)
		}
	}
}

// FuzzParseKeyName: an error returns nothing, success re-encodes to the same
// bytes, and a region never brings a character that could change a URL.
func FuzzParseKeyName(f *testing.F) {
	for _, s := range []string{"alias/a", uuid, "mrk-" + uuid, "arn:aws:kms:us-east-1:123456789012:key/" + uuid,
		"arn:aws-cn:kms:cn-north-1:123456789012:alias/a/b_c", "arn:aws:kms:us-east-1:123456789012:key/mrk-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := parseKeyName(s)
		if err != nil {
			if k != (keyName{}) {
				t.Fatalf("error with %+v", k)
			}
			return
		}
		if k.String() != s {
			t.Fatalf("%q became %q", s, k)
		}
		if strings.Trim(k.region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Fatalf("region %q", k.region)
		}
		again, err := parseKeyName(k.in("eu-west-1").String())
		if err != nil || again.resource != k.resource || again.account != k.account {
			t.Fatalf("%q in another region: %+v, %v", s, again, err)
		}
	})
}
