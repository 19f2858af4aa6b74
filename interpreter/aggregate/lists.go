package aggregate

import (
	"maps"
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

func sumBy(members []family.Member, list, key string, counts ...string) ([]any, error) {
	items, err := Collect(members, list)
	if err != nil {
		return nil, err
	}
	sums := map[string][]int64{}
	for _, item := range items {
		r := field.Read(item.Object)
		name := r.String(key)
		if sums[name] == nil {
			sums[name] = make([]int64, len(counts))
		}
		for i, count := range counts {
			sums[name][i] += int64(r.Count(0, count))
		}
		if r.Err() != nil {
			return nil, At(item.Member, field.Under(r.Err(), list))
		}
	}
	var out []any
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		sum := map[string]any{key: name}
		for i, count := range counts {
			sum[count] = sums[name][i]
		}
		out = append(out, sum)
	}
	return out, nil
}

// Item is one element of a member's list.
type Item struct {
	Member family.Member
	Object map[string]any
}

// Collect is the objects of the members' lists at a path, not copies.
func Collect(members []family.Member, path ...string) ([]Item, error) {
	var out []Item
	for _, m := range members {
		list, err := field.Slice(m.Status, path...)
		if err != nil {
			return nil, At(m, err)
		}
		for i, element := range list {
			object, ok := element.(map[string]any)
			if !ok {
				return nil, At(m, field.Errorf(field.Index(path, i), "want an object, have %v", element))
			}
			out = append(out, Item{Member: m, Object: object})
		}
	}
	return out, nil
}

// unite is the members' lists as one; hidden is how many objects are beyond the limit.
func unite(members []family.Member, of List) (list []any, hidden int, err error) {
	items, err := Collect(members, of.Name)
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(items, func(a, b Item) int {
		for _, key := range of.By {
			left, _ := a.Object[key].(string)
			right, _ := b.Object[key].(string)
			if order := strings.Compare(left, right); order != 0 {
				return order
			}
		}
		return 0
	})
	hidden = max(0, len(items)-of.Limit)
	for _, item := range items[:len(items)-hidden] {
		object := make(map[string]any, len(item.Object)+1)
		maps.Copy(object, item.Object)
		object["cluster"] = item.Member.Cluster
		list = append(list, object)
	}
	return list, hidden, nil
}
