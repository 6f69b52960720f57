package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/reload"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// LoadAccess reads an access list.
func LoadAccess(path string) (*wire.Access, error) {
	list, err := config.LoadAccess(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: get the fleet's access.toml from its operators", err)
	}
	return usable(path, list, err)
}

func usable(path string, list *config.Access, err error) (*wire.Access, error) {
	if err != nil {
		return nil, err
	}
	a, err := list.Wire()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// accessList is a running program's, which began with current. manifests are those that the
// program goes by.
func accessList(
	path string, manifests func() []*wire.Manifest, current *wire.Access, use func(*wire.Access),
) reload.Thing {
	return reload.Thing{
		Name: "access", Files: []secret.File{config.AccessFile(path)},
		Take: func(texts [][]byte) (reload.Taken, error) {
			list, err := config.AccessOf(path, texts[0])
			next, err := usable(path, list, err)
			if err != nil {
				return reload.Taken{}, err
			}
			t := reload.Taken{Warnings: strangers(next, manifests())}
			for _, c := range next.Changes(current) {
				t.Changed = append(t.Changed, c.Text)
				t.Grave = t.Grave || c.TakesAway
			}
			if len(t.Changed) > 0 {
				current = next
				use(next)
			}
			return t, nil
		},
	}
}

// strangers finds revocations that mean nobody.
func strangers(a *wire.Access, manifests []*wire.Manifest) (warnings []string) {
	unknown := a.Strangers(manifests[0])
	for _, m := range manifests[1:] {
		here := a.Strangers(m)
		unknown = slices.DeleteFunc(unknown, func(who string) bool { return !slices.Contains(here, who) })
	}
	for _, who := range unknown {
		warnings = append(warnings, fmt.Sprintf("the access list revokes node %v, which the manifest does not have", who))
	}
	for _, name := range a.Unlisted() {
		warnings = append(warnings, fmt.Sprintf("the access list revokes gateway %s, which it does not have", name))
	}
	return warnings
}
