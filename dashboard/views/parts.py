import streamlit as st

st.title("Parts")
