"""Changes of a search attribute's type, made for real: values are written under the old type, the column or field of
the new type is made by the engine's own rule over the same records, and what it holds is read back.

One bench per engine; each uses the profile that the toolkit renders from, so that a rule that changes is measured anew.
"""
