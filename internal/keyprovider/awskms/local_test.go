package awskms

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// TestMachine: what a shell or an editor left in the environment and in the
// shared files is named, with the variable or the file, before AWS is asked,
// and is no outage. No error shows a value.
func TestMachine(t *testing.T) {
	const value = "AKIAIOSFODNN7EXAMPLE"
	for name, test := range map[string]struct {
		set  map[string]string
		file string // content of the credentials file; empty: none
		want string // empty: nothing is wrong
	}{
		"right": {map[string]string{"AWS_ACCESS_KEY_ID": value, "AWS_SECRET_ACCESS_KEY": "a/b+c=", "AWS_REGION": ""}, "",
			""},
		"a right file": {nil, "[default]\r\naws_access_key_id = " + value + " # mine\r\n", ""},
		"line end": {map[string]string{"AWS_ACCESS_KEY_ID": value + "\n"}, "",
			"variable AWS_ACCESS_KEY_ID holds a line end"},
		"line end of Windows": {map[string]string{"AWS_ACCESS_KEY_ID": value + "\r"}, "",
			"variable AWS_ACCESS_KEY_ID holds a line end"},
		"line end, secret": {map[string]string{"AWS_SECRET_ACCESS_KEY": value + "\n"}, "",
			"variable AWS_SECRET_ACCESS_KEY holds a line end"},
		"line end, token": {map[string]string{"AWS_SESSION_TOKEN": value + "\n"}, "",
			"variable AWS_SESSION_TOKEN holds a line end"},
		"line end, region":  {map[string]string{"AWS_REGION": "us-east-1\n"}, "", "variable AWS_REGION holds a line end"},
		"line end, profile": {map[string]string{"AWS_PROFILE": "frost\n"}, "", "variable AWS_PROFILE holds a line end"},
		"blank":             {map[string]string{"AWS_ACCESS_KEY_ID": value + " "}, "", "begins or ends with a blank"},
		"quotes":            {map[string]string{"AWS_ACCESS_KEY_ID": `"` + value + `"`}, "", "stands in quotes"},
		"byte-order mark":   {map[string]string{"AWS_ACCESS_KEY_ID": "\ufeff" + value}, "", "byte-order mark"},
		"two at once": {map[string]string{"AWS_ACCESS_KEY_ID": value + "\n", "AWS_REGION": " us-east-1"}, "",
			"variable AWS_REGION begins"},
		"file with a BOM":      {nil, "\ufeff[default]\naws_access_key_id = " + value, "begins with a byte-order mark (BOM)"},
		"file of UTF-16":       {nil, "\xff\xfe[\x00d\x00", "UTF-16"},
		"file of UTF-16, bare": {nil, "[\x00d\x00", "NUL"},
	} {
		t.Run(name, func(t *testing.T) {
			kmstest.Setenv(t)
			for k, v := range test.set {
				t.Setenv(k, v)
			}
			path := filepath.Join(t.TempDir(), "credentials")
			if test.file != "" {
				if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
				t.Setenv("AWS_SHARED_CREDENTIALS_FILE", path)
			}
			err := checkSettings()
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if keyprovider.ReasonOf(err) != keyprovider.Credentials || !strings.Contains(err.Error(), test.want) ||
				strings.Contains(err.Error(), value) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if test.file != "" && !strings.Contains(err.Error(), path) {
				t.Errorf("%v does not name the file", err)
			}
			_, err = Open(t.Context(), Options{Section: Section{
				KeyID: "alias/a", Regions: []string{"us-east-1"}, Endpoint: "http://127.0.0.1:1",
			}})
			if keyprovider.ReasonOf(err) != keyprovider.Credentials || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open: %v", err)
			}
		})
	}
}
