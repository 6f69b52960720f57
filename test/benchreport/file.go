package benchreport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Read reads a list of figures; a file that isn't there is an empty one.
func Read(path string) ([]Figure, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var figures []Figure
	if err := json.Unmarshal(text, &figures); err != nil {
		return nil, fmt.Errorf("%s is not a list of figures: %w: remove it and run the benchmark again", path, err)
	}
	return figures, nil
}

// Merge puts figures into a list: in place of the one of the same name, or at
// the end.
func Merge(list, figures []Figure) []Figure {
	list = slices.Clone(list)
	for _, f := range figures {
		at := slices.IndexFunc(list, func(o Figure) bool { return o.Name == f.Name })
		if at < 0 {
			list = append(list, f)
		} else {
			list[at] = f
		}
	}
	return list
}

// Save merges the figures into a file, and makes it and its folder if they
// aren't there.
func (r *Report) Save(path string) error {
	list, err := Read(path)
	if err != nil {
		return err
	}
	text := new(bytes.Buffer)
	enc := json.NewEncoder(text)
	enc.SetEscapeHTML(false) // goals read >= 0.9
	enc.SetIndent("", "  ")
	if err := enc.Encode(Scale(Merge(list, r.Figures()))); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}
