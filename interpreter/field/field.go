package field

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// Error is a value a rule cannot use, and where it stands.
type Error struct {
	// Path from the object's root, such as "spec.updateStrategy.partition".
	Path string
	// Detail says what is wrong and what would be right.
	Detail string
}

func (e *Error) Error() string { return e.Path + ": " + e.Detail }

// Errorf is an Error for a path.
func Errorf(path []string, format string, args ...any) error {
	return &Error{Path: strings.Join(path, "."), Detail: fmt.Sprintf(format, args...)}
}

// Value is what stands at path: nil when it, or anything above it, is absent or null. An element above it that is no
// object is an error naming that element.
func Value(obj map[string]any, path ...string) (any, error) {
	var value any = obj
	for i, key := range path {
		object, ok := value.(map[string]any)
		if !ok {
			if value == nil {
				return nil, nil
			}
			return nil, wrongType(path[:i], "an object", value)
		}
		value = object[key]
	}
	return value, nil
}

// Map is the object at path, not a copy; nil when absent.
func Map(obj map[string]any, path ...string) (map[string]any, error) {
	return typed[map[string]any](obj, "an object", path)
}

// Slice is the list at path, not a copy; nil when absent.
func Slice(obj map[string]any, path ...string) ([]any, error) {
	return typed[[]any](obj, "a list", path)
}

// String is the string at path; empty when absent.
func String(obj map[string]any, path ...string) (string, error) {
	return typed[string](obj, "a string", path)
}

// Bool is the boolean at path; false when absent.
func Bool(obj map[string]any, path ...string) (bool, error) {
	return typed[bool](obj, "true or false", path)
}

// Strings is the list of strings at path; nil when absent.
func Strings(obj map[string]any, path ...string) ([]string, error) {
	list, err := Slice(obj, path...)
	if list == nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, wrongType(Index(path, i), "a string", item)
		}
		out[i] = text
	}
	return out, nil
}

// Int64 is the whole number at path, or def when absent.
func Int64(obj map[string]any, def int64, path ...string) (int64, error) {
	value, err := Value(obj, path...)
	if value == nil {
		return def, err
	}
	number, ok := wholeNumber(value)
	if !ok {
		return 0, wrongType(path, "a whole number", value)
	}
	return number, nil
}

// Count is the number of things at path, or def when absent: a whole number from 0 to the largest int32.
func Count(obj map[string]any, def int32, path ...string) (int32, error) {
	number, err := Int64(obj, int64(def), path...)
	if err != nil {
		return 0, err
	}
	if number < 0 || number > math.MaxInt32 {
		return 0, Errorf(path, "want a whole number from 0 to %d, have %d", math.MaxInt32, number)
	}
	return int32(number), nil
}

// IntOrPercent is the number or percentage at path; nil when absent. A string that is no percentage is an error.
func IntOrPercent(obj map[string]any, path ...string) (*intstr.IntOrString, error) {
	value, err := Value(obj, path...)
	if value == nil {
		return nil, err
	}
	if text, ok := value.(string); ok {
		out := intstr.FromString(text)
		if _, err := intstr.GetScaledValueFromIntOrPercent(&out, 100, true); err != nil {
			return nil, Errorf(path, "want a whole number or a percentage, have %q", text)
		}
		return &out, nil
	}
	number, err := Count(obj, 0, path...)
	if err != nil {
		return nil, err
	}
	out := intstr.FromInt32(number)
	return &out, nil
}

// Annotation is one annotation of an object; empty when absent.
func Annotation(obj map[string]any, key string) string {
	return metadataString(obj, "annotations", key)
}

// Label is one label of an object; empty when absent.
func Label(obj map[string]any, key string) string { return metadataString(obj, "labels", key) }

// metadataString reads without an error: the apiserver admits no label or annotation that is not a string.
func metadataString(obj map[string]any, of, key string) string {
	metadata, _ := obj["metadata"].(map[string]any)
	pairs, _ := metadata[of].(map[string]any)
	text, _ := pairs[key].(string)
	return text
}

// Index is the path of a list's element: spec.containers -> spec.containers[2].
func Index(path []string, i int) []string {
	out := slices.Clone(path)
	if len(out) == 0 {
		return []string{fmt.Sprintf("[%d]", i)}
	}
	out[len(out)-1] += fmt.Sprintf("[%d]", i)
	return out
}

func typed[T any](obj map[string]any, want string, path []string) (T, error) {
	var zero T
	value, err := Value(obj, path...)
	if value == nil {
		return zero, err
	}
	out, ok := value.(T)
	if !ok {
		return zero, wrongType(path, want, value)
	}
	return out, nil
}

// wholeNumber accepts what the JSON and YAML decoders of Kubernetes (int64) and of the standard library (float64)
// produce, and what Go code puts into such maps by hand.
func wholeNumber(value any) (int64, bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, false
		}
		return int64(v), true
	case int32:
		return int64(v), true
	case int:
		return int64(v), true
	}
	return 0, false
}

func wrongType(path []string, want string, have any) error {
	switch v := have.(type) {
	case map[string]any:
		return Errorf(path, "want %s, have an object", want)
	case []any:
		return Errorf(path, "want %s, have a list", want)
	case string:
		return Errorf(path, "want %s, have %q", want, v)
	default:
		return Errorf(path, "want %s, have %v", want, v)
	}
}

// Under puts a path before that of an Error: what was read relative to a part is named from the object's root.
func Under(err error, path ...string) error {
	var at *Error
	if !errors.As(err, &at) {
		return err
	}
	if at.Path != "" {
		path = append(slices.Clone(path), at.Path)
	}
	return &Error{Path: strings.Join(path, "."), Detail: at.Detail}
}
